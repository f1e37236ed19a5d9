// SPDX-License-Identifier: MIT
// The one stopwatch: every stage opens a scope; somebody may listen.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

namespace diffseg {

namespace detail {

/// One finished scope.
struct ProfileEvent {
  const char* stage;  ///< static text
  int depth;          ///< scopes around it on its thread
  std::uint64_t thread;
  std::chrono::steady_clock::time_point begin;
  std::chrono::steady_clock::time_point end;
  std::int64_t bytes;   ///< bytes read and written in main memory at least, 0 when not told
  std::uint64_t after;  ///< how many profiles had been made when it began
};

/// Microseconds with three decimals, exact however long they are.
inline std::string microseconds(std::chrono::steady_clock::duration time) {
  const auto nanoseconds =
      static_cast<long long>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
  char text[32];
  std::snprintf(text, sizeof(text), "%lld.%03lld", nanoseconds / 1000, nanoseconds % 1000);
  return text;
}

class ProfileScope;

}  // namespace detail

/// Collects the scopes of all threads that begin and end while it lives. Any number of profiles may
/// live at a time, whatever the order in which they begin and end: each hears its own time.
class Profile {
 public:
  /// All calls of one stage, added up.
  struct Row {
    std::string stage;        ///< its name
    int depth = 0;            ///< > 0: part of the stage above it
    std::int64_t calls = 0;   ///< finished scopes
    double milliseconds = 0;  ///< wall time
    std::int64_t bytes = 0;   ///< as told by the stage
    double share = 0;         ///< of the wall time of all rows of depth 0, 0..1
  };

  Profile() {
    const std::lock_guard lock(listeners().mutex);
    listeners().profiles.push_back(this);
    number_ = ++listeners().made;
    ++listeners().count;
  }
  ~Profile() {
    const std::lock_guard lock(listeners().mutex);
    std::erase(listeners().profiles, this);
    --listeners().count;
  }
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  /// Somebody listens; the price of asking is one load.
  static bool is_listened_to() { return listeners().count.load(std::memory_order_relaxed) > 0; }

  /// One row a stage, in the order in which the stages began.
  [[nodiscard]] std::vector<Row> rows() const {
    std::vector<Row> rows;
    double total = 0;
    for (const detail::ProfileEvent& event : sorted_events()) {
      auto row = std::find_if(rows.begin(), rows.end(),
                              [&](const Row& r) { return r.stage == event.stage; });
      if (row == rows.end()) row = rows.insert(rows.end(), {event.stage, event.depth});
      const double duration =
          std::chrono::duration<double, std::milli>(event.end - event.begin).count();
      row->calls += 1;
      row->milliseconds += duration;
      row->bytes += event.bytes;
      if (event.depth == 0) total += duration;
    }
    for (Row& row : rows) row.share = total > 0 ? row.milliseconds / total : 0;
    return rows;
  }

  /// Chrome trace event format (JSON), for Perfetto or chrome://tracing; times in microseconds
  /// since the first scope, exact to the nanosecond.
  void write_trace(std::ostream& out) const {
    const auto events = sorted_events();
    std::string text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
    for (std::size_t i = 0; i < events.size(); ++i) {
      const detail::ProfileEvent& event = events[i];
      text += i == 0 ? "\n" : ",\n";
      text += std::string("{\"ph\":\"X\",\"cat\":\"diffseg\",\"pid\":1,\"name\":\"") + event.stage +
              "\",\"tid\":" + std::to_string(event.thread) +
              ",\"ts\":" + detail::microseconds(event.begin - events.front().begin) +
              ",\"dur\":" + detail::microseconds(event.end - event.begin) +
              ",\"args\":{\"bytes\":" + std::to_string(event.bytes) + "}}";
    }
    out << text << "\n]}\n";
  }

 private:
  friend class detail::ProfileScope;

  /// A scope begins: makes room for its event in all profiles, so that telling it cannot fail.
  /// Returns how many have been made so far.
  static std::uint64_t expect() {
    const std::lock_guard lock(listeners().mutex);
    for (Profile* const profile : listeners().profiles) {
      const std::size_t needed = profile->events_.size() + profile->open_ + 1;
      if (profile->events_.capacity() < needed) profile->events_.reserve(2 * needed);
    }
    for (Profile* const profile : listeners().profiles) ++profile->open_;
    return listeners().made;
  }
  /// Its end, to all profiles that were there when it began.
  static void tell(const detail::ProfileEvent& event) noexcept {
    const std::lock_guard lock(listeners().mutex);
    for (Profile* const profile : listeners().profiles) {
      if (profile->number_ > event.after) continue;
      --profile->open_;
      profile->events_.push_back(event);
    }
  }

  struct Listeners {
    std::mutex mutex;
    std::vector<Profile*> profiles;
    std::atomic<int> count{0};
    std::uint64_t made = 0;
  };
  static Listeners& listeners() {
    static Listeners instance;
    return instance;
  }
  [[nodiscard]] std::vector<detail::ProfileEvent> sorted_events() const {
    std::vector<detail::ProfileEvent> events;
    {
      const std::lock_guard lock(listeners().mutex);
      events = events_;
    }
    std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.depth < b.depth;
    });
    return events;
  }

  std::vector<detail::ProfileEvent> events_;
  std::size_t open_ = 0;  // scopes that began and have not ended
  std::uint64_t number_ = 0;
};

namespace detail {

/// Times its own life under the name `stage` (static text) when a Profile listens.
class ProfileScope {
 public:
  explicit ProfileScope(const char* stage, std::int64_t bytes = 0)
      : stage_(stage), bytes_(bytes), heard_(Profile::is_listened_to()) {
    if (!heard_) return;
    after_ = Profile::expect();
    depth_ = depth()++;
    begin_ = std::chrono::steady_clock::now();
  }
  ~ProfileScope() {
    if (!heard_) return;
    --depth();
    const auto thread = std::hash<std::thread::id>{}(std::this_thread::get_id()) % 1000000;
    Profile::tell(
        {stage_, depth_, thread, begin_, std::chrono::steady_clock::now(), bytes_, after_});
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

  void add_bytes(std::int64_t bytes) { bytes_ += bytes; }

 private:
  static int& depth() {
    thread_local int current = 0;
    return current;
  }
  const char* stage_;
  std::int64_t bytes_;
  bool heard_;
  int depth_ = 0;
  std::uint64_t after_ = 0;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace detail

}  // namespace diffseg
