// SPDX-License-Identifier: MIT
// A line on the terminal that says how far it is.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace cli {

/// What has become of the photos so far.
struct Counts {
  std::size_t photos = 0;   ///< in all
  std::size_t done = 0;     ///< now
  std::size_t skipped = 0;  ///< done before
  std::size_t failed = 0;

  [[nodiscard]] std::size_t left() const { return photos - done - skipped - failed; }
};

/// "[=====>    ] 37/200, 3.2 photos/s, 51 s left, 1 failed", in `columns` columns at most. Photos
/// that were done before count for no time.
[[nodiscard]] std::string progress_line(const Counts& counts, double seconds, std::size_t columns);

/// Shows it on stderr, where that is a terminal that can, unless NO_COLOR is set.
class ProgressBar {
 public:
  explicit ProgressBar(bool wanted);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Takes it away, for a line of text.
  void clear();
  /// Shows it, at most ten times a second.
  void show(const Counts& counts);

 private:
  using Clock = std::chrono::steady_clock;
  bool wanted_;
  bool shown_ = false;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point last_ = {};
};

}  // namespace cli
