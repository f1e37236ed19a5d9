// SPDX-License-Identifier: MIT
// Photos in, label and overlay PNGs out. Everything DiffSeg is in segment_photo().
#include <algorithm>
#include <chrono>
#include <compiled/float.hpp>
#include <cstdlib>
#include <diffseg/attention/models.hpp>
#include <diffseg/attention/sinks.hpp>
#include <diffseg/io/error.hpp>
#include <iostream>
#include <new>
#include <set>
#include <sstream>
#include <stdexcept>

#include "attention_files.hpp"
#include "files.hpp"
#include "formats/formats.hpp"
#include "formats/html.hpp"
#include "nouns.hpp"
#include "options.hpp"
#include "overlay.hpp"
#include "photo_io.hpp"
#include "png_io.hpp"
#include "report.hpp"
#include "text.hpp"

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
diffseg::Compare compare_photo(const Options& options, diffseg::GridSize grid) {
  return {.anchors = options.anchors.value_or(diffseg::GridSize{grid.height / 4, grid.width / 4})};
}

/// 16 x 16 anchors where the published code has them.
diffseg::Compare compare_attention(const Options& options, diffseg::GridSize grid) {
  const diffseg::GridSize most{std::min<diffseg::Index>(16, grid.height),
                               std::min<diffseg::Index>(16, grid.width)};
  return {.anchors = options.anchors.value_or(most),
          .placement = diffseg::Compare::Placement::published};
}

diffseg::Labels finish(diffseg::Proposals<float> proposals, diffseg::GridSize size,
                       const Options& options) {
  if (options.refine) proposals = diffseg::RefineProjected{}(proposals);
  const diffseg::Assign assign{.size = options.size.value_or(size)};
  if (!options.tidy) return assign(proposals);
  return diffseg::Tidy{.min_area = options.min_area, .split = true}(assign(proposals));
}

/// `labels` with borders that follow the photo, tidied again where they were.
diffseg::Labels fit_borders(const diffseg::Labels& labels, const diffseg::Image<float>& photo,
                            const Options& options) {
  if (photo.size != labels.size || !options.fit_borders.value_or(options.tidy)) return labels;
  auto fitted = diffseg::FitBorders{}(labels, photo);
  if (!options.tidy) return fitted;
  return diffseg::Tidy{.min_area = options.min_area, .split = true}(fitted);
}

/// The highest threshold that is needed: that of auto is beyond what any attention did best with.
double ceiling_of(const std::vector<double>& thresholds, const Options& options) {
  constexpr double highest = 1.6;
  const double first = thresholds.empty() ? highest : thresholds.front();
  return options.sweep.empty() ? first : std::max(first, options.sweep.back());
}

/// What to do about a photo that is one segment.
std::string hint_for(const std::vector<double>& thresholds, const Options& options) {
  return message("one segment in all, at the threshold ", thresholds.front(), "; ",
                 options.thresholds.empty() && !options.model_threshold
                     ? ""
                     : "try --threshold auto or a lower one; ",
                 "--segments K asks for K segments, --sweep 0.1:1.5:0.1 shows what others give");
}

/// The longer side 512 pixels, as the images of most models have, in the shape of the grid.
diffseg::GridSize size_of(diffseg::GridSize grid) {
  const diffseg::Index longer = std::max(grid.height, grid.width);
  const auto side = [&](diffseg::Index cells) {
    return std::max<diffseg::Index>(1, 512 * cells / longer);
  };
  return {side(grid.height), side(grid.width)};
}

/// What the page's slider shows at each threshold of the sweep, drawn small.
std::vector<SliderStep> draw_sweep(const diffseg::Similarities<float>& similarities,
                                   const diffseg::Image<float>& photo, diffseg::GridSize size,
                                   const Options& options) {
  Options small = options;
  small.size = preview_size(size);
  const auto preview = photo.values.empty() ? photo : diffseg::DownsamplePhoto{*small.size}(photo);
  SliderDrawer drawer;
  std::vector<SliderStep> steps;
  for (const double threshold : options.sweep) {
    const diffseg::Merge merge{.thresholds = {threshold, threshold, threshold}};
    const auto labels = finish(merge(similarities), size, small);
    steps.push_back(drawer.draw(threshold, fit_borders(labels, preview, small)));
  }
  return steps;
}

/// `thresholds`: one an iteration; empty: chosen for these maps. `photo` is empty where there is
/// none.
diffseg::Labels segment_maps(const diffseg::Maps<float>& maps, diffseg::Compare compare,
                             std::vector<double> thresholds, const diffseg::Image<float>& photo,
                             const Options& options, PhotoReport& report) {
  const diffseg::GridSize size = photo.values.empty() ? size_of(maps.grid()) : photo.size;
  compare.ceiling = ceiling_of(thresholds, options);
  // The stand-in's maps lose more of what they tell to few segments than a model's do.
  const double lambda = options.attention.empty() ? 0.34 : 0.22;
  const auto similarities = compare(maps);
  if (!options.sweep.empty())
    report.sweep = diffseg::Sweep{.thresholds = options.sweep, .lambda = lambda}(similarities);
  if (!options.html.empty() && !options.sweep.empty())
    report.slider = draw_sweep(similarities, photo, size, options);
  if (thresholds.empty()) {
    const diffseg::Choose choose{.segments = options.segments, .lambda = lambda};
    const auto chosen = choose(similarities, [&](const auto& proposals) {
      return finish(proposals, size, options).count();
    });
    thresholds = choose.sweep(compare.ceiling).merge(chosen.threshold).thresholds;
  }
  const auto proposals = diffseg::Merge{.thresholds = thresholds}(similarities);
  report.grid = maps.grid();
  report.per_iteration = proposals.per_iteration;
  report.thresholds = thresholds;
  diffseg::Labels labels = finish(proposals, size, options);
  if (labels.count() == 1 && options.segments != 1) report.hint = hint_for(thresholds, options);
  return labels;
}

diffseg::Labels segment_photo(const diffseg::Image<float>& photo, const Options& options,
                              PhotoReport& report) {
  const diffseg::Maps<float> maps = diffseg::Aggregate{}(diffseg::Affinity{}(photo));
  const diffseg::Labels labels = segment_maps(maps, compare_photo(options, maps.grid()),
                                              options.thresholds, photo, options, report);
  return fit_borders(labels, photo, options);
}

diffseg::Names name_labels(const Attention& attention,
                           const std::vector<diffseg::Name::Noun>& nouns,
                           const diffseg::Labels& labels) {
  const diffseg::Name name{.nouns = nouns};
  const diffseg::AggregateCross aggregate{
      .size = labels.size, .weights = attention.cross_weights, .tokens = name.tokens()};
  return name(aggregate(attention.cross), labels);
}

/// `photo` is empty where there is none.
diffseg::Labels segment_attention(const Attention& attention, const diffseg::Image<float>& photo,
                                  const Options& options, PhotoReport& report) {
  const diffseg::Index columns = attention.cross.empty() ? 0 : attention.cross.front().keys.width;
  const std::vector<diffseg::Name::Noun> nouns =
      find_nouns(options.nouns, attention.tokens, columns, options.attention.front().string());
  diffseg::Layers self = attention.self;
  if (options.sinks) {
    for (diffseg::Layer& layer : self) layer = diffseg::leave_out_sinks(layer, *options.sinks);
  }
  const auto maps = diffseg::Aggregate{.weights = attention.weights}(self);
  std::vector<double> thresholds = options.thresholds;
  const double known = diffseg::model_preset(attention.model).threshold;
  if (options.model_threshold && known > 0) thresholds.assign(3, known);
  diffseg::Labels labels = fit_borders(segment_maps(maps, compare_attention(options, maps.grid()),
                                                    thresholds, photo, options, report),
                                       photo, options);
  if (!nouns.empty()) report.names = name_labels(attention, nouns, labels).groups;
  return labels;
}

void write_results(const diffseg::Image<float>& photo, const diffseg::Labels& labels,
                   const std::string& title, const Options& options, PhotoReport& report) {
  const diffseg::detail::ProfileScope scope("write results");
  const auto palette = make_palette(labels.count());
  OutputFiles files;
  const Scene scene{photo, labels, report.names, palette, report.photo.filename().string()};
  for (std::size_t i = 0; i < options.formats.size(); ++i)
    files.add(report.format_files[i], encode(options.formats[i], scene));
  if (!report.overlay_file.empty()) {
    files.add(report.overlay_file,
              encode_colour_png(photo.size, draw_overlay(photo, labels, palette)));
  }
  if (!options.html.empty()) {
    report.html = html_photo(scene, title, report.hint, report.slider, report.thresholds.front());
    report.slider.clear();
  }
  files.commit();
}

/// Sets where the results go; refuses a place that holds an input or a result of this run.
void claim_results(PhotoReport& report, const fs::path& source, const Options& options,
                   std::set<fs::path>& taken) {
  // A folder may be written as ".." or end in a slash.
  const std::string stem =
      (fs::is_directory(source) ? fs::canonical(source).filename() : source.stem()).string();
  for (const Format format : options.formats)
    report.format_files.push_back(options.output / (stem + std::string(suffix(format))));
  if (!report.photo.empty()) report.overlay_file = options.output / (stem + ".overlay.png");
  auto results = report.format_files;
  results.push_back(report.overlay_file);
  for (const fs::path& file : results) {
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
  write_results(photo, labels, source.string(), options, report);
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
    if (!error.empty()) report.html = html_failure(path.string(), error);
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
      return segment_attention(attention, photo, options, result);
    });
  });
  report.error = error;
  if (!error.empty()) report.html = html_failure(source.string(), error);
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
  const auto write_page = [&] {
    std::vector<std::string> parts;
    parts.reserve(reports.size());
    for (const PhotoReport& report : reports) parts.push_back(report.html);
    OutputFiles file;
    file.add(options.html, html_page(parts));
    file.commit();
  };
  bool good = options.trace.empty() || guarded(options.trace.string(), write_trace).empty();
  good = (options.html.empty() || guarded(options.html.string(), write_page).empty()) && good;
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
