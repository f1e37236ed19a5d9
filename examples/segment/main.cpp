// SPDX-License-Identifier: MIT
// Photos in, label and overlay PNGs out. Everything DiffSeg is in work.cpp.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <diffseg/io/error.hpp>
#include <iostream>
#include <new>
#include <set>
#include <sstream>
#include <stdexcept>

#include "files.hpp"
#include "options.hpp"
#include "overlay.hpp"
#include "photo_io.hpp"
#include "png_io.hpp"
#include "report.hpp"
#include "text.hpp"
#include "work.hpp"

namespace {

using namespace cli;
namespace fs = std::filesystem;

/// Milliseconds since it was asked last.
class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(now - std::exchange(begin_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

void write_results(const diffseg::Image<float>& photo, const diffseg::Labels& labels,
                   const PhotoReport& report) {
  const diffseg::detail::ProfileScope scope("write results");
  const auto palette = make_palette(labels.count());
  OutputFiles files;
  files.add(report.label_file, encode_label_png(labels, palette));
  if (!report.overlay_file.empty()) {
    files.add(report.overlay_file,
              encode_colour_png(photo.size, draw_overlay(photo, labels, palette)));
  }
  files.commit();
}

/// Sets where the results go; refuses a place that holds an input or a result of this run.
void claim_results(PhotoReport& report, const fs::path& source, const Options& options,
                   std::set<fs::path>& taken) {
  // A folder may be written as ".." or end in a slash.
  const std::string stem =
      (fs::is_directory(source) ? fs::canonical(source).filename() : source.stem()).string();
  report.label_file = options.output / (stem + ".labels.png");
  if (!report.photo.empty()) report.overlay_file = options.output / (stem + ".overlay.png");
  for (const fs::path& file : {report.label_file, report.overlay_file}) {
    if (file.empty() || taken.insert(fs::weakly_canonical(fs::absolute(file))).second) continue;
    throw diffseg::io_error(message(source.string(), ": its result ", file.string(),
                                    " would replace another file of this run; "
                                    "choose another --output"));
  }
}

/// `segment_it` makes the labels, once the photo is read.
template <class Segment>
PhotoReport process(const fs::path& photo_file, const fs::path& source, const Options& options,
                    std::set<fs::path>& taken, const Segment& segment_it) {
  PhotoReport report{.photo = photo_file};
  Stopwatch watch;
  const auto photo = photo_file.empty() ? diffseg::Image<float>{} : read_photo(photo_file);
  claim_results(report, source, options, taken);
  report.size = photo.size;
  report.read_milliseconds = watch.lap();
  const diffseg::Labels labels = segment_it(photo, report);
  report.segment_milliseconds = watch.lap();
  report.label_size = labels.size;
  report.shares = pixel_shares(labels);
  write_results(photo, labels, report);
  report.write_milliseconds = watch.lap();
  if (!report.hint.empty())
    std::cerr << "segment: " << source.string() << ": " << report.hint << '\n';
  return report;
}

/// Runs `work`; a failure is told on stderr and returned as text that starts with `name`.
template <class Work>
std::string guarded(const std::string& name, const Work& work) {
  std::string failure;
  try {
    work();
  } catch (const std::bad_alloc&) {
    failure = name + ": not enough memory; scale it down first";
  } catch (const std::exception& error) {
    failure = error.what();
    if (!failure.starts_with(name)) failure.insert(0, name + ": ");
  }
  if (!failure.empty()) std::cerr << "segment: " << failure << '\n';
  return failure;
}

/// What results must not replace.
std::set<fs::path> inputs(const Options& options) {
  std::set<fs::path> files;
  std::error_code ignored;
  for (const fs::path& path : options.photos)
    files.insert(fs::weakly_canonical(fs::absolute(path), ignored));
  if (!options.image.empty())
    files.insert(fs::weakly_canonical(fs::absolute(options.image), ignored));
  return files;
}

std::vector<PhotoReport> process_photos(const Options& options) {
  std::set<fs::path> taken = inputs(options);
  std::vector<PhotoReport> reports;
  for (const fs::path& path : options.photos) {
    PhotoReport report{.photo = path};
    const std::string error = guarded(path.string(), [&] {
      report = process(path, path, options, taken, [&](const auto& photo, auto& result) {
        return segment_photo(photo, options, result);
      });
    });
    report.error = error;
    reports.push_back(std::move(report));
  }
  return reports;
}

PhotoReport process_attention(const Options& options) {
  std::set<fs::path> taken = inputs(options);
  PhotoReport report{.photo = options.image};
  const fs::path& source = options.attention.front();
  const std::string error = guarded(options.attention.front().string(), [&] {
    report = process(options.image, source, options, taken, [&](const auto& photo, auto& result) {
      const Attention attention = read_attention(options.attention, options.skip);
      for (const std::string& reason : attention.passed_over)
        std::cerr << "segment: passed over " << reason << '\n';
      return segment_attention(attention, photo, source.string(), options, result);
    });
  });
  report.error = error;
  return report;
}

bool print_results(const Options& options, const std::vector<PhotoReport>& reports,
                   const diffseg::Profile& profile) {
  if (options.profile) {
    print_profile(std::cerr, profile);
    print_bottleneck(std::cerr, profile);
  }
  const auto write_trace = [&] {
    std::ostringstream text;
    profile.write_trace(text);
    const std::string trace = text.str();
    OutputFiles file;
    file.add(options.trace, {trace.begin(), trace.end()});
    file.commit();
  };
  bool good = options.trace.empty() || guarded(options.trace.string(), write_trace).empty();
  options.json ? print_json(std::cout, options, reports) : print_text(std::cout, options, reports);
  if (std::cout.flush()) return good;
  std::cerr << "segment: the summary cannot be written to stdout\n";
  return false;
}

int run(const Options& options) {
  const diffseg::Profile profile;
  const std::vector<PhotoReport> reports =
      options.attention.empty() ? process_photos(options) : std::vector{process_attention(options)};
  const bool printed = print_results(options, reports, profile);
  const bool all_good = std::all_of(reports.begin(), reports.end(),
                                    [](const PhotoReport& report) { return report.error.empty(); });
  return printed && all_good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = parse_options(argc, argv);
  if (const auto* status = std::get_if<ExitStatus>(&parsed)) return *status;
  return run(std::get<Options>(parsed));
}
