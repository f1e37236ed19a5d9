// SPDX-License-Identifier: MIT
#include "batch.hpp"

#include <algorithm>
#include <atomic>
#include <diffseg/core/parallel.hpp>
#include <diffseg/core/profile.hpp>
#include <exception>
#include <functional>
#include <iostream>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <system_error>
#include <thread>

#include "cores.hpp"
#include "files.hpp"
#include "formats/html.hpp"
#include "inputs.hpp"
#include "memory.hpp"
#include "photo_io.hpp"
#include "read_ahead.hpp"
#include "result_size.hpp"
#include "results.hpp"
#include "sidecar.hpp"
#include "stop.hpp"
#include "stopwatch.hpp"
#include "teller.hpp"
#include "text.hpp"
#include "work.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

/// An item that is ready to be written.
struct Worked {
  std::size_t index = 0;  ///< of the item
  PhotoReport report;
  std::vector<OutputFile> files;  ///< empty: there is nothing to write
};

/// Why `work` failed, in words that begin with `name`; empty: it did not.
std::string failure_of(const std::string& name, const std::function<void()>& work) {
  std::string failure;
  try {
    work();
  } catch (const std::bad_alloc&) {
    return name + ": not enough memory; scale it down first, or free some";
  } catch (const std::exception& error) {
    failure = error.what();
    if (!failure.starts_with(name)) failure.insert(0, name + ": ");
  }
  return failure;
}

Photo decode(const Bytes& bytes, const std::string& name) {
  const diffseg::detail::ProfileScope scope("read photo");
  return load_photo(bytes, name);
}

class Batch {
 public:
  Batch(const Options& options, const std::vector<Item>& items, Teller& teller, std::size_t jobs)
      : options_(options),
        teller_(teller),
        gate_(options.memory > 0 ? options.memory : spare_memory()),
        items_(items),
        source_(items, options, jobs),
        parts_(options.html.empty() ? 0 : items.size()) {}

  /// One of several that work side by side: until nothing is left, or a reason to stop.
  void work_off() noexcept {
    try {
      work_off_items();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      failed_ = true;
    }
  }

  [[nodiscard]] bool is_stopped() const {
    return stop_signal() != 0 || disk_full_ || failed_ || teller_.unheard();
  }
  [[nodiscard]] std::string why_stopped() const {
    if (stop_signal() != 0) return "interrupted";
    if (disk_full_) return "the disk is full";
    if (failed_) return failure_of("stopped", [&] { std::rethrow_exception(failure_); });
    return teller_.unheard() ? "nobody reads stdout" : "";
  }

  /// Of the page about the run, in the order of the items; when all have ended.
  [[nodiscard]] const std::vector<std::string>& parts() const { return parts_; }

 private:
  void work_off_items() {
    std::future<void> writing;  // of the photo before
    while (!is_stopped()) {
      auto next = source_.next();
      if (!next) break;
      Worked worked;
      try {
        worked = work_on(next->item, next->fetched);
      } catch (const Stopped&) {
        break;
      }
      if (writing.valid()) writing.get();
      writing = std::async(
          in_background, [this, ready = std::move(worked)]() mutable { write(std::move(ready)); });
    }
    if (writing.valid()) writing.get();
  }

  Worked work_on(const Item& item, std::future<Fetched>& coming) {
    Worked worked{static_cast<std::size_t>(&item - items_.data()),
                  {.name = item.name, .photo = item.photo, .attention = item.attention},
                  {}};
    worked.report.error = failure_of(item.name, [&] {
      const Fetched fetched = coming.get();
      visit(fs::path(item.place).parent_path());
      if (fetched.before) {
        worked.report = *fetched.before;
        set_part(worked.index, [&] { return html_done_before(item.name); });
      } else {
        segment_item(item, fetched, worked);
      }
    });
    if (!worked.report.error.empty()) worked.files.clear();
    return worked;
  }

  /// Removes what was left in a folder of results, once.
  void visit(const fs::path& folder) {
    const std::lock_guard lock(mutex_);
    if (visited_.insert(folder).second) remove_leftovers(folder);
  }

  void segment_item(const Item& item, const Fetched& fetched, Worked& worked) {
    check_place(item);
    check_stop();
    PhotoReport& report = worked.report;
    Stopwatch watch;
    const Attention attention = attention_of(item, report);
    const auto share = gate_.enter(memory_of(item, fetched, attention));
    const Photo photo = item.photo.empty() ? Photo{} : decode(fetched.photo, item.photo);
    report.size = photo.full;
    report.read_milliseconds = fetched.milliseconds + watch.lap();
    check_stop();
    const diffseg::Labels labels =
        at_full_size(item.attention.empty() ? segment_photo(photo.image, options_, report)
                                            : segment_whole(attention, photo.image, item, report),
                     photo);
    report.note = scaling_note(photo, labels.size);
    report.segment_milliseconds = watch.lap();
    report.label_size = labels.size;
    report.shares = pixel_shares(labels);
    check_stop();
    encode(item, photo.image, labels, worked);
    set_part(worked.index, [&] { return page_part(photo.image, labels, report); });
    report.slider.clear();
    report.write_milliseconds = watch.lap();
    add_sidecar(worked.files, item, report, fetched.sources, options_);
    check_stop();
  }

  /// segment_attention, unless its files were cut off meanwhile, whatever came of that.
  [[nodiscard]] diffseg::Labels segment_whole(const Attention& attention,
                                              const diffseg::Image<float>& photo, const Item& item,
                                              PhotoReport& report) const {
    const auto check = [&] {
      if (!attention.is_cut_off()) return;
      throw diffseg::io_error(item.name +
                              ": its attention was cut off while it was read, or its disk fails; "
                              "write files beside their places and rename them, then start again");
    };
    diffseg::Labels labels;
    try {
      labels =
          segment_attention(attention, photo, item.attention.front().string(), options_, report);
    } catch (const std::exception&) {
      check();
      throw;
    }
    check();
    return labels;
  }

  /// Refuses before the work what could not be written after it.
  void check_place(const Item& item) const {
    const std::string first = item.place + std::string(suffix(options_.formats.front()));
    const std::string reason = why_unwritable(fs::path(first).parent_path());
    if (reason.empty()) return;
    throw diffseg::io_error(
        message(first, ": cannot be written (", reason, "); choose another place"));
  }

  /// Empty for a photo alone.
  [[nodiscard]] Attention attention_of(const Item& item, PhotoReport& report) const {
    if (item.attention.empty()) return {};
    Attention attention = read_attention(item.attention, options_.skip);
    report.passed_over = attention.passed_over;
    return attention;
  }

  [[nodiscard]] double memory_of(const Item& item, const Fetched& fetched,
                                 const Attention& attention) const {
    return photo_memory(fetched.photo) + (item.attention.empty()
                                              ? stand_in_memory(options_)
                                              : attention_memory(attention.self, options_));
  }

  void encode(const Item& item, const diffseg::Image<float>& photo, const diffseg::Labels& labels,
              Worked& worked) {
    const diffseg::detail::ProfileScope scope("encode results");
    for (Result& result : encode_results(photo, labels, options_, worked.report)) {
      const std::string file = item.place + result.suffix;
      std::error_code ignored;
      if (file == item.photo || fs::equivalent(file, item.photo, ignored)) {
        throw diffseg::io_error(message(item.name, ": its result ", file,
                                        " would replace its photo; choose another --output"));
      }
      worked.report.files.emplace_back(result.kind, file);
      worked.files.push_back({file, std::move(result.bytes)});
    }
  }

  void write(Worked worked) {
    if (!worked.files.empty()) {
      const diffseg::detail::ProfileScope scope("write results");
      Stopwatch watch;
      worked.report.error = failure_of(worked.report.name, [&] {
        try {
          write_files(worked.files);
        } catch (const DiskFull&) {
          disk_full_ = true;
          throw;
        }
      });
      worked.report.write_milliseconds += watch.lap();
    }
    if (!worked.report.error.empty())
      set_part(worked.index, [&] { return html_failure(worked.report.name, worked.report.error); });
    teller_.tell(worked.report);
  }

  /// Each has a place of its own.
  template <class Make>
  void set_part(std::size_t index, const Make& make) {
    if (!parts_.empty()) parts_[index] = make();
  }

  const Options& options_;
  Teller& teller_;
  MemoryGate gate_;
  const std::vector<Item>& items_;
  ReadAhead source_;
  std::vector<std::string> parts_;
  std::atomic<bool> disk_full_{false};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::exception_ptr failure_;  // of the run, not of one photo
  std::set<fs::path> visited_;
};

/// Runs `jobs` of them side by side; one uses the thread at hand.
void run_jobs(Batch& batch, std::size_t jobs, int threads) {
  const auto work = [&] {
    const diffseg::ThreadLimit limit(threads);
    batch.work_off();
  };
  std::vector<std::thread> others;
  try {
    while (others.size() + 1 < jobs) others.emplace_back(work);
  } catch (const std::system_error&) {
    // The system gives no more threads: those that there are do all.
  }
  work();
  for (std::thread& other : others) other.join();
}

/// False: it was asked for and is not there.
bool write_profile(const Options& options, const diffseg::Profile& profile) {
  if (options.profile) {
    print_profile(std::cerr, profile);
    print_bottleneck(std::cerr, profile);
  }
  if (options.trace.empty()) return true;
  const std::string failure = failure_of(options.trace.string(), [&] {
    TextStream text;
    profile.write_trace(text);
    const std::string trace = text.str();
    write_files({{options.trace, {trace.begin(), trace.end()}}});
  });
  if (!failure.empty()) std::cerr << "segment: " << failure << '\n';
  return failure.empty();
}

/// False: it was asked for and is not there.
bool write_page(const Options& options, const std::vector<std::string>& parts) {
  if (options.html.empty()) return true;
  const std::string failure = failure_of(options.html.string(), [&] {
    write_files({{options.html, html_page(parts)}});
  });
  if (!failure.empty()) std::cerr << "segment: " << failure << '\n';
  return failure.empty();
}

void tell_passed_over(const std::vector<std::string>& results, Teller& teller) {
  if (results.empty()) return;
  teller.note(message("passed over ", results.size(), results.size() == 1 ? " result" : " results",
                      " of earlier runs (", results.front(), results.size() == 1 ? ")" : ", ..)"));
}

}  // namespace

int run_batch(const Options& options) {
  // Of many photos it would become large, so that it listens only when it is asked for.
  std::optional<diffseg::Profile> profile;
  if (options.wants_profile()) profile.emplace();
  Inputs inputs;
  try {
    inputs = list_inputs(options);
  } catch (const std::invalid_argument& error) {
    std::cerr << "segment: " << error.what() << '\n';
    return 2;
  }
  Teller teller(options, inputs.items.size());
  tell_passed_over(inputs.passed_over, teller);
  const Cores cores = share_cores(options, inputs.items.size());
  Batch batch(options, inputs.items, teller, cores.jobs);
  run_jobs(batch, cores.jobs, cores.threads);
  const bool shown = write_page(options, batch.parts());
  const bool written = (!profile || write_profile(options, *profile)) && shown;
  teller.finish(batch.why_stopped());
  if (stop_signal() != 0) return 128 + stop_signal();
  return written && teller.good() && batch.why_stopped().empty() ? 0 : 1;
}

}  // namespace cli
