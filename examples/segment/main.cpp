// SPDX-License-Identifier: MIT
// Photos in, label and overlay PNGs out. Everything DiffSeg is in segment_photo().
#include <algorithm>
#include <chrono>
#include <diffseg/diffseg.hpp>
#include <iostream>
#include <new>
#include <set>
#include <sstream>

#include "files.hpp"
#include "options.hpp"
#include "overlay.hpp"
#include "photo_io.hpp"
#include "png_io.hpp"
#include "report.hpp"

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

/// One anchor for every 4 x 4 cells: 16 x 16 on a square, fewer along the short side of a photo.
diffseg::GridSize choose_anchors(const Options& options, diffseg::GridSize grid) {
  return options.anchors.value_or(diffseg::GridSize{grid.height / 4, grid.width / 4});
}

diffseg::Labels segment_photo(const diffseg::Image<float>& photo, const Options& options,
                              PhotoReport& report) {
  const diffseg::Layers layers = diffseg::Affinity{}(photo);
  const diffseg::Maps<float> maps = diffseg::Aggregate{}(layers);
  const auto similarities = diffseg::Compare{.anchors = choose_anchors(options, maps.grid()),
                                             .ceiling = options.thresholds.front()}(maps);
  auto proposals = diffseg::Merge{.thresholds = options.thresholds}(similarities);
  report.grid = maps.grid();
  report.per_iteration = proposals.per_iteration;
  if (options.refine) proposals = diffseg::Refine{}(proposals);
  const diffseg::Assign assign{.size = options.size.value_or(photo.size)};
  if (!options.tidy) return assign(proposals);
  return diffseg::Tidy{.min_area = options.min_area, .split = true}(assign(proposals));
}

void write_results(const diffseg::Image<float>& photo, const diffseg::Labels& labels,
                   const PhotoReport& report) {
  const diffseg::ProfileScope scope("write results");
  const auto palette = make_palette(labels.count());
  OutputFiles files;
  files.add(report.label_file, encode_label_png(labels, palette));
  files.add(report.overlay_file,
            encode_colour_png(photo.size, draw_overlay(photo, labels, palette)));
  files.commit();
}

/// Sets where the results go; refuses a place that holds an input or a result of this run.
void claim_results(PhotoReport& report, const Options& options, std::set<fs::path>& taken) {
  const std::string stem = report.photo.stem().string();
  report.label_file = options.output / (stem + ".labels.png");
  report.overlay_file = options.output / (stem + ".overlay.png");
  for (const fs::path& file : {report.label_file, report.overlay_file}) {
    if (taken.insert(fs::weakly_canonical(fs::absolute(file))).second) continue;
    throw diffseg::io_error(diffseg::message(report.photo.string(), ": its result ", file.string(),
                                             " would replace another file of this run; "
                                             "choose another --output"));
  }
}

PhotoReport process(const fs::path& path, const Options& options, std::set<fs::path>& taken) {
  PhotoReport report{.photo = path};
  Stopwatch watch;
  const diffseg::Image<float> photo = read_photo(path);
  claim_results(report, options, taken);
  report.size = photo.size;
  report.read_milliseconds = watch.lap();
  const diffseg::Labels labels = segment_photo(photo, options, report);
  report.segment_milliseconds = watch.lap();
  report.label_size = labels.size;
  report.shares = pixel_shares(labels);
  write_results(photo, labels, report);
  report.write_milliseconds = watch.lap();
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

std::vector<PhotoReport> process_all(const Options& options) {
  std::set<fs::path> taken;
  std::error_code ignored;
  for (const fs::path& path : options.photos)
    taken.insert(fs::weakly_canonical(fs::absolute(path), ignored));
  std::vector<PhotoReport> reports;
  for (const fs::path& path : options.photos) {
    PhotoReport report{.photo = path};
    const std::string error =
        guarded(path.string(), [&] { report = process(path, options, taken); });
    report.error = error;
    reports.push_back(std::move(report));
  }
  return reports;
}

bool print_results(const Options& options, const std::vector<PhotoReport>& reports,
                   const diffseg::Profile& profile) {
  if (options.profile) print_profile(std::cerr, profile);
  const auto write_trace = [&] {
    std::ostringstream text;
    profile.write_trace(text);
    const std::string trace = text.str();
    OutputFiles file;
    file.add(options.trace, {trace.begin(), trace.end()});
    file.commit();
  };
  bool good = options.trace.empty() || guarded(options.trace.string(), write_trace).empty();
  options.json ? print_json(std::cout, options, reports) : print_text(std::cout, reports);
  if (std::cout.flush()) return good;
  std::cerr << "segment: the summary cannot be written to stdout\n";
  return false;
}

int run(const Options& options) {
  const diffseg::Profile profile;
  const std::vector<PhotoReport> reports = process_all(options);
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
