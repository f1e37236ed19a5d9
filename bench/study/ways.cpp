// SPDX-License-Identifier: MIT
#include "ways.hpp"

#include <algorithm>
#include <diffseg/attention/top_k.hpp>
#include <diffseg/diffseg.hpp>
#include <diffseg/merge/refine_projected.hpp>
#include <memory>
#include <utility>

namespace study {

namespace {

using diffseg::RefineProjected;
using diffseg::SegmentOptions;

double bytes(const Layers& layers) {
  double total = 0;
  for (const auto& layer : layers) total += static_cast<double>(layer.bytes());
  return total;
}

/// Attention to labels with these options, all storage used again.
Way whole(std::string name, Layers layers, const SegmentOptions& options) {
  auto state = std::make_shared<diffseg::Segmentation<float>>();
  const double input = bytes(layers);
  return {std::move(name), input, [=, layers = std::move(layers)](Labels& labels) {
            diffseg::segment(layers, options, *state);
            std::swap(state->labels, labels);
          }};
}

/// The sides of a grid or of anchors times numerator / denominator, rounded, at least 1.
GridSize scaled(GridSize size, Index numerator, Index denominator) {
  const auto side = [&](Index cells) {
    return std::max<Index>(1, (2 * cells * numerator + denominator) / (2 * denominator));
  };
  return {side(size.height), side(size.width)};
}

/// The exact options on a coarser grid.
SegmentOptions on_grid(const Case& test, Index numerator, Index denominator) {
  SegmentOptions options = test.exact;
  options.aggregate.grid = scaled(test.layers.front().queries, numerator, denominator);
  options.compare.fit = true;
  return options;
}

/// A fraction of the sides of the finest grid.
struct Part {
  Index numerator, denominator;
};

std::vector<Way> coarse_grids(const Case& test, const std::vector<Part>& parts, bool sample) {
  std::vector<Way> ways = {whole("exact", test.layers, test.exact)};
  for (const auto& [numerator, denominator] : parts) {
    SegmentOptions options = on_grid(test, numerator, denominator);
    options.aggregate.sample = sample;
    ways.push_back(
        whole(diffseg::detail::message(numerator, '/', denominator), test.layers, options));
  }
  return ways;
}

/// Without the layers that are finer than the grid; the weights of the others keep their ratios.
Way without_finer(std::string name, const Case& test, Index divisor) {
  SegmentOptions options = on_grid(test, 1, divisor);
  const std::vector<double> given = options.aggregate.weights;
  options.aggregate.weights.clear();
  Layers kept;
  double sum = 0;
  for (std::size_t i = 0; i < test.layers.size(); ++i) {
    if (test.layers[i].queries.height > options.aggregate.grid.height) continue;
    kept.push_back(test.layers[i]);
    if (given.empty()) continue;
    options.aggregate.weights.push_back(given[i]);
    sum += given[i];
  }
  for (double& weight : options.aggregate.weights) weight /= sum;
  return whole(std::move(name), std::move(kept), options);
}

/// None where all layers have the finest grid.
std::vector<Way> fewer_layers(const Case& test) {
  const GridSize coarse = scaled(test.layers.front().queries, 1, 4);
  const bool any = std::any_of(test.layers.begin(), test.layers.end(), [&](const auto& layer) {
    return layer.queries.height <= coarse.height;
  });
  if (!any) return {};
  return {whole("exact", test.layers, test.exact), without_finer("1/2", test, 2),
          without_finer("1/4", test, 4)};
}

std::vector<Way> anchors(const Case& test) {
  std::vector<Way> ways = {whole("exact", test.layers, test.exact)};
  for (const Index side : {8, 12, 24, 32}) {
    SegmentOptions options = test.exact;
    options.compare.anchors = scaled(options.compare.anchors, side, 16);
    ways.push_back(whole(std::to_string(side), test.layers, options));
  }
  return ways;
}

template <class Element>
Layers converted(const Layers& layers) {
  Layers result;
  for (const auto& layer : layers) {
    const Index count = layer.heads * layer.head_step();
    const auto* data = static_cast<const float*>(layer.data);
    std::vector<Element> values(static_cast<std::size_t>(count));
    diffseg::detail::parallel_for(layer.heads * layer.queries.cells(), [&](Index row) {
      for (Index i = row * layer.query_step(); i < (row + 1) * layer.query_step(); ++i) {
        values[static_cast<std::size_t>(i)] = static_cast<Element>(data[i]);
      }
    });
    result.push_back(diffseg::Layer::owning(std::move(values), layer.heads, layer.queries));
  }
  return result;
}

std::vector<Way> short_numbers(const Case& test) {
  SegmentOptions options = test.exact;
  options.aggregate.floor = 1e-9;
  return {whole("exact", test.layers, options),
          whole("f16", converted<Eigen::half>(test.layers), options),
          whole("bf16", converted<Eigen::bfloat16>(test.layers), options)};
}

/// The k largest numbers of every row, the rest of its sum spread evenly.
Layers largest(const Layers& layers, Index k) {
  Layers result;
  for (const auto& layer : layers) {
    const bool whole_rows = k >= layer.keys.cells();
    result.push_back(whole_rows ? layer : diffseg::top_k(layer, k));
    result.back().spread_rest = !whole_rows;
  }
  return result;
}

std::vector<Way> sparse_rows(const Case& test) {
  std::vector<Way> ways = {whole("exact", test.layers, test.exact)};
  for (const Index k : {64, 256, 1024}) {
    ways.push_back(whole(std::to_string(k), largest(test.layers, k), test.exact));
  }
  return ways;
}

std::vector<Way> iterations(const Case& test) {
  std::vector<Way> ways = {whole("exact", test.layers, test.exact)};
  for (const std::size_t count : {2, 1}) {
    SegmentOptions options = test.exact;
    auto& thresholds = options.merge.thresholds;
    thresholds.resize(std::min(thresholds.size(), count));
    ways.push_back(whole(std::to_string(count), test.layers, options));
  }
  return ways;
}

std::vector<Way> presets(const Case& test) {
  std::vector<Way> ways = {whole("exact", test.layers, test.exact)};
  for (const auto& [name, preset] : {std::pair("balanced", SegmentOptions::balanced()),
                                     std::pair("fast", SegmentOptions::fast())}) {
    SegmentOptions options = preset;
    options.aggregate.weights = test.exact.aggregate.weights;
    options.compare.anchors = test.exact.compare.anchors;
    options.merge = test.exact.merge;
    options.assign = test.exact.assign;
    ways.push_back(whole(name, test.layers, options));
  }
  return ways;
}

using SharedProposals = std::shared_ptr<const diffseg::Proposals<float>>;

SharedProposals exact_proposals(const Case& test) {
  diffseg::Segmentation<float> state;
  diffseg::segment(test.layers, test.exact, state);
  return std::make_shared<const diffseg::Proposals<float>>(std::move(state.proposals));
}

double bytes(const diffseg::Proposals<float>& proposals) {
  return 4.0 * static_cast<double>(proposals.maps.rows().size() + proposals.rows.size());
}

std::vector<Way> refinements(const Case& test) {
  const SharedProposals proposals = exact_proposals(test);
  const auto way = [&](std::string name, const auto& refine) -> Way {
    auto refined = std::make_shared<diffseg::Proposals<float>>();
    return {std::move(name), bytes(*proposals), [=, assign = test.exact.assign](Labels& labels) {
              refine(*proposals, *refined);
              assign(*refined, labels);
            }};
  };
  std::vector<Way> ways = {way("exact", diffseg::Refine{})};
  for (const Index components : {8, 16, 32, 48, 64}) {
    ways.push_back(
        way("rank " + std::to_string(components), RefineProjected{.components = components}));
  }
  for (const Index batch : {256, 1024, 4096}) {
    ways.push_back(way("batch " + std::to_string(batch),
                       RefineProjected{.mode = RefineProjected::Mode::minibatch, .batch = batch}));
  }
  return ways;
}

/// Every pixel of `size` from the nearest of `coarse`.
void enlarge(const Labels& coarse, GridSize size, Labels& labels) {
  labels.size = size;
  labels.proposals = coarse.proposals;
  labels.values.resize(static_cast<std::size_t>(size.cells()));
  diffseg::detail::parallel_for(size.height, [&](Index y) {
    const auto row =
        static_cast<std::size_t>(y * coarse.size.height / size.height * coarse.size.width);
    for (Index x = 0; x < size.width; ++x) {
      labels.values[static_cast<std::size_t>(y * size.width + x)] =
          coarse.values[row + static_cast<std::size_t>(x * coarse.size.width / size.width)];
    }
  });
}

std::vector<Way> smaller_results(const Case& test) {
  const SharedProposals proposals = exact_proposals(test);
  const GridSize size = test.exact.assign.size;
  std::vector<Way> ways = {{"exact", bytes(*proposals),
                            [=](Labels& labels) { diffseg::Assign{size}(*proposals, labels); }}};
  for (const Index divisor : {2, 4}) {
    const diffseg::Assign assign{scaled(size, 1, divisor)};
    auto coarse = std::make_shared<Labels>();
    ways.push_back({"1/" + std::to_string(divisor), bytes(*proposals), [=](Labels& labels) {
                      assign(*proposals, *coarse);
                      enlarge(*coarse, size, labels);
                    }});
  }
  return ways;
}

/// Photos alone: the attention is made anew each time.
std::vector<Way> smaller_photos(const Case& test) {
  if (test.photo.values.empty()) return {};
  const auto way = [&](std::string name, GridSize size, Index cells) -> Way {
    auto state = std::make_shared<diffseg::Segmentation<float>>();
    auto layers = std::make_shared<Layers>();
    SegmentOptions options = test.exact;
    options.compare.fit = true;
    const auto input = 4.0 * static_cast<double>(test.photo.values.size());
    return {std::move(name), input, [=, photo = test.photo](Labels& labels) {
              const diffseg::Affinity affinity{.cells = cells};
              affinity(diffseg::DownsamplePhoto{size}(photo), *layers);
              diffseg::segment(*layers, options, *state);
              std::swap(state->labels, labels);
            }};
  };
  const GridSize size = test.photo.size;
  return {way("exact", size, 4096),
          way("photo 1/2", scaled(size, 1, 2), 4096),
          way("photo 1/4", scaled(size, 1, 4), 4096),
          way("2304 cells", size, 2304),
          way("1024 cells", size, 1024),
          way("256 cells", size, 256)};
}

std::vector<Way> averaged_grids(const Case& test) {
  return coarse_grids(test, {{3, 4}, {1, 2}, {1, 4}}, false);
}
/// The presets are 1/2 and 1/4 of these.
std::vector<Way> sampled_grids(const Case& test) {
  return coarse_grids(test, {{3, 4}, {1, 3}}, true);
}

}  // namespace

const std::vector<Group>& groups() {
  static const std::vector<Group> all = {
      {"preset", "SegmentOptions::exact(), attention to labels", presets},
      {"grid", "the finest layers' grid, attention to labels", averaged_grids},
      {"sampled grid", "the finest layers' grid, attention to labels", sampled_grids},
      {"no finer layers", "all layers on the finest grid, attention to labels", fewer_layers},
      {"anchors", "16 x 16 anchors, attention to labels", anchors},
      {"numbers", "f32, floor 1e-9 as for the others, attention to labels", short_numbers},
      {"top k", "all numbers of every row, attention to labels", sparse_rows},
      {"iterations", "all thresholds, attention to labels", iterations},
      {"refine", "Refine and Assign alone", refinements},
      {"label size", "Assign alone, enlarged to the same size", smaller_results},
      {"photo", "the whole photo, 4096 cells, photo to labels", smaller_photos}};
  return all;
}

}  // namespace study
