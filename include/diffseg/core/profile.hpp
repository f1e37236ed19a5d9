// SPDX-License-Identifier: MIT
// The one stopwatch: every stage opens a scope; somebody may listen.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
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
  std::int64_t bytes;  ///< bytes read and written in main memory at least, 0 when not told
};

}  // namespace detail

/// All calls of one stage, added up.
struct ProfileRow {
  std::string stage;
  int depth = 0;            ///< > 0: part of the stage above it
  std::int64_t calls = 0;   ///< finished scopes
  double milliseconds = 0;  ///< wall time
  std::int64_t bytes = 0;   ///< as told by the stage
  double share = 0;         ///< of the wall time of all rows of depth 0, 0..1
};

/// Collects scopes between construction and destruction; one profile listens at a time, a later
/// one takes over until it ends. Must outlive every scope opened meanwhile.
class Profile {
 public:
  Profile() : previous_(listener().exchange(this)) {}
  ~Profile() { listener().store(previous_); }
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  /// Nobody listens: nullptr, at the price of one load.
  static Profile* current() { return listener().load(std::memory_order_acquire); }

  void add(const detail::ProfileEvent& event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }

  /// One row a stage, in the order in which the stages began.
  [[nodiscard]] std::vector<ProfileRow> rows() const {
    std::vector<ProfileRow> rows;
    double total = 0;
    for (const detail::ProfileEvent& event : sorted_events()) {
      auto row = std::find_if(rows.begin(), rows.end(),
                              [&](const ProfileRow& r) { return r.stage == event.stage; });
      if (row == rows.end()) row = rows.insert(rows.end(), {event.stage, event.depth});
      const double duration =
          std::chrono::duration<double, std::milli>(event.end - event.begin).count();
      row->calls += 1;
      row->milliseconds += duration;
      row->bytes += event.bytes;
      if (event.depth == 0) total += duration;
    }
    for (ProfileRow& row : rows) row.share = total > 0 ? row.milliseconds / total : 0;
    return rows;
  }

  /// Chrome trace event format (JSON), for Perfetto or chrome://tracing.
  void write_trace(std::ostream& out) const {
    const auto events = sorted_events();
    const auto microseconds = [](auto duration) {
      return std::chrono::duration<double, std::micro>(duration).count();
    };
    out << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
    for (std::size_t i = 0; i < events.size(); ++i) {
      const detail::ProfileEvent& event = events[i];
      out << (i == 0 ? "" : ",") << "\n{\"ph\":\"X\",\"cat\":\"diffseg\",\"pid\":1,\"name\":\""
          << event.stage << "\",\"tid\":" << event.thread
          << ",\"ts\":" << microseconds(event.begin - events.front().begin)
          << ",\"dur\":" << microseconds(event.end - event.begin)
          << ",\"args\":{\"bytes\":" << event.bytes << "}}";
    }
    out << "\n]}\n";
  }

 private:
  static std::atomic<Profile*>& listener() {
    static std::atomic<Profile*> instance{nullptr};
    return instance;
  }
  [[nodiscard]] std::vector<detail::ProfileEvent> sorted_events() const {
    const std::lock_guard lock(mutex_);
    auto events = events_;
    std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.depth < b.depth;
    });
    return events;
  }

  mutable std::mutex mutex_;
  std::vector<detail::ProfileEvent> events_;
  Profile* previous_;
};

namespace detail {

/// Times its own life under the name `stage` (static text) when a Profile listens.
class ProfileScope {
 public:
  explicit ProfileScope(const char* stage, std::int64_t bytes = 0)
      : profile_(Profile::current()), stage_(stage), bytes_(bytes) {
    if (profile_ == nullptr) return;
    depth_ = depth()++;
    begin_ = std::chrono::steady_clock::now();
  }
  ~ProfileScope() {
    if (profile_ == nullptr) return;
    --depth();
    const auto thread = std::hash<std::thread::id>{}(std::this_thread::get_id()) % 1000000;
    profile_->add({stage_, depth_, thread, begin_, std::chrono::steady_clock::now(), bytes_});
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

  void add_bytes(std::int64_t bytes) { bytes_ += bytes; }

 private:
  static int& depth() {
    thread_local int current = 0;
    return current;
  }
  Profile* profile_;
  const char* stage_;
  std::int64_t bytes_;
  int depth_ = 0;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace detail

}  // namespace diffseg
