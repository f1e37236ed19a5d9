// SPDX-License-Identifier: MIT
// What is said while photos are worked on, and in the end.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "options.hpp"
#include "progress.hpp"
#include "report.hpp"

namespace cli {

/// Tells every photo as it is done: a line on stdout, failures on stderr, a bar where that is a
/// terminal. Any thread may call it.
class Teller {
 public:
  /// `photos` are to be done.
  Teller(const Options& options, std::size_t photos);

  void tell(const PhotoReport& report);
  /// A line on stderr.
  void note(const std::string& text);

  /// Photos done and left, and the failures again; of one photo alone only what is not yet said.
  /// `reason`: why it stopped before the end; empty: it did not.
  void finish(const std::string& reason);

  /// Nothing failed.
  [[nodiscard]] bool good() const;
  /// stdout takes nothing any more, and nobody reads it.
  [[nodiscard]] bool unheard() const;

 private:
  void write_line(const std::string& line);
  void count(const PhotoReport& report);
  void finish_json(double seconds);
  void finish_text(double seconds, const std::string& reason);

  const Options& options_;
  mutable std::mutex mutex_;
  Counts counts_;
  ProgressBar bar_;
  std::vector<PhotoReport> failures_;
  bool stdout_good_ = true;
  bool unheard_ = false;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace cli
