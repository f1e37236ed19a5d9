// SPDX-License-Identifier: MIT
#include "work.hpp"

#include <algorithm>
#include <compiled/float.hpp>
#include <diffseg/attention/models.hpp>
#include <diffseg/attention/sinks.hpp>
#include <stdexcept>

#include "nouns.hpp"
#include "text.hpp"

namespace cli {

namespace {

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

diffseg::Names name_labels(const Attention& attention,
                           const std::vector<diffseg::Name::Noun>& nouns,
                           const diffseg::Labels& labels) {
  const diffseg::Name name{.nouns = nouns};
  const diffseg::AggregateCross aggregate{
      .size = labels.size, .weights = attention.cross_weights, .tokens = name.tokens()};
  return name(aggregate(attention.cross), labels);
}

}  // namespace

diffseg::Labels segment_photo(const diffseg::Image<float>& photo, const Options& options,
                              PhotoReport& report) {
  const diffseg::Maps<float> maps = diffseg::Aggregate{}(diffseg::Affinity{}(photo));
  const diffseg::Labels labels = segment_maps(maps, compare_photo(options, maps.grid()),
                                              options.thresholds, photo, options, report);
  return fit_borders(labels, photo, options);
}

diffseg::Labels segment_attention(const Attention& attention, const diffseg::Image<float>& photo,
                                  const std::string& file, const Options& options,
                                  PhotoReport& report) {
  const diffseg::Index columns = attention.cross.empty() ? 0 : attention.cross.front().keys.width;
  const std::vector<diffseg::Name::Noun> nouns =
      find_nouns(options.nouns, attention.tokens, columns, file);
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

double attention_memory(const diffseg::Layers& layers, const Options& options) {
  diffseg::SegmentOptions stages;
  stages.compare.fit = true;
  stages.compare.anchors = options.anchors.value_or(diffseg::GridSize{16, 16});
  try {
    return diffseg::segment_memory<float>(layers, stages).total();
  } catch (const std::invalid_argument&) {  // the stages will say it
    return 0;
  }
}

double stand_in_memory(const Options& options) {
  // The layers of Affinity: four grids, one head each, the finest of 4096 cells.
  diffseg::Layers layers;
  double bytes = 0;
  for (const diffseg::Index side : {64, 32, 16, 8}) {
    diffseg::Layer layer;
    layer.data = &layers;  // nobody looks
    layer.heads = 1;
    layer.queries = layer.keys = diffseg::GridSize{side, side};
    const auto cells = static_cast<double>(layer.keys.cells());
    bytes += 4 * cells * cells;
    layers.push_back(layer);
  }
  return bytes + attention_memory(layers, options);
}

}  // namespace cli
