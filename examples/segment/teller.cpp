// SPDX-License-Identifier: MIT
#include "teller.hpp"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <iostream>

#include "report_json.hpp"
#include "text.hpp"

namespace cli {

namespace {

std::string text_of(const PhotoReport& report) {
  TextStream text;
  print_text(text, report);
  return text.str();
}

/// What the thresholds of all photos are: numbers, or how they are chosen.
Json wanted_thresholds(const Options& options) {
  if (!options.thresholds.empty()) return options.thresholds;
  if (options.segments > 0) return {{"segments", options.segments}};
  return options.model_threshold ? "model" : "auto";
}

}  // namespace

Teller::Teller(const Options& options, std::size_t photos)
    : options_(options), counts_{.photos = photos}, bar_(!options.quiet && photos > 1) {
  bar_.show(counts_);
}

void Teller::count(const PhotoReport& report) {
  if (!report.error.empty()) {
    ++counts_.failed;
    failures_.push_back({.name = report.name, .photo = report.photo, .error = report.error});
  } else {
    ++(report.skipped ? counts_.skipped : counts_.done);
  }
}

void Teller::tell(const PhotoReport& report) {
  const std::lock_guard lock(mutex_);
  count(report);
  bar_.clear();
  for (const std::string& reason : report.passed_over)
    std::cerr << "segment: passed over " << plain(reason) << '\n';
  if (!report.note.empty() && !report.skipped)
    std::cerr << "segment: " << plain(report.name + ": " + report.note) << '\n';
  if (!report.error.empty()) std::cerr << "segment: " << plain(report.error) << '\n';
  if (!report.hint.empty() && !report.skipped)
    std::cerr << "segment: " << plain(report.name + ": " + report.hint) << '\n';
  if (options_.json) {
    write_line(one_line(to_json(report)) + '\n');
  } else if (report.error.empty()) {
    write_line(text_of(report));
  }
  bar_.show(counts_);
}

void Teller::note(const std::string& text) {
  const std::lock_guard lock(mutex_);
  bar_.clear();
  std::cerr << "segment: " << plain(text) << '\n';
}

void Teller::write_line(const std::string& line) {
  if (!stdout_good_) return;
  errno = 0;
  if (std::cout << line << std::flush) return;
  stdout_good_ = false;
  unheard_ = errno == EPIPE;
  std::cerr << "segment: the summary cannot be written to stdout (" << std::strerror(errno)
            << "); results are written nevertheless\n";
}

void Teller::finish(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  bar_.clear();
  if (options_.json) finish_json(seconds);
  finish_text(seconds, reason);
}

void Teller::finish_json(double seconds) {
  Json failures = Json::array();
  for (const PhotoReport& failure : failures_)
    failures.push_back({{"name", failure.name}, {"error", failure.error}});
  const Json summary{{"thresholds", wanted_thresholds(options_)},
                     {"photos", counts_.photos},
                     {"done", counts_.done},
                     {"skipped", counts_.skipped},
                     {"failed", counts_.failed},
                     {"left", counts_.left()},
                     {"seconds", seconds},
                     {"failures", std::move(failures)}};
  write_line(one_line({{"summary", summary}}) + '\n');
}

void Teller::finish_text(double seconds, const std::string& reason) {
  if (!reason.empty()) {
    std::cerr << "segment: " << reason << "; " << counts_.left() << " of " << counts_.photos
              << " left, the same command goes on with them\n";
  }
  const bool many = counts_.photos > 1 || counts_.skipped > 0;
  if (many && !options_.quiet) {
    std::cerr << "segment: "
              << message(counts_.photos,
                         counts_.photos == 1 ? " photo: " : " photos: ", counts_.done, " done in ",
                         std::round(10 * seconds) / 10, " s");
    if (counts_.skipped > 0)
      std::cerr << ", " << counts_.skipped << " done before (--force does them again)";
    if (counts_.failed > 0) std::cerr << ", " << counts_.failed << " failed:";
    std::cerr << '\n';
  }
  if (counts_.photos < 2) return;
  for (const PhotoReport& failure : failures_) std::cerr << "  " << plain(failure.error) << '\n';
}

bool Teller::good() const {
  const std::lock_guard lock(mutex_);
  return failures_.empty() && stdout_good_;
}

bool Teller::unheard() const {
  const std::lock_guard lock(mutex_);
  return unheard_;
}

}  // namespace cli
