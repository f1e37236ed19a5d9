// SPDX-License-Identifier: MIT
// Aggregate: attention layers -> Maps.
#pragma once

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "diffseg/attention/detail/layer_sums.hpp"
#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/workspace.hpp"

namespace diffseg {

/// Attention layers -> Maps: mean over heads, keys to the working grid (bilinear up, area sum
/// down), every map scaled to sum 1, queries to the working grid (repeat up, mean down), weighted
/// sum over layers (Tian et al., arXiv 2308.12469, section 3.2). Layers may have any grids, heads
/// and element types; scaling a layer of probabilities changes nothing. Scores, queries with keys
/// and sparse rows become dense probabilities on the way, never stored as a whole. Errors:
/// std::invalid_argument for layers that are empty or out of range and for attention that is
/// negative, NaN, infinite or all zero.
struct Aggregate {
  using Stage = void;  ///< it may begin or follow a chain

  GridSize grid = {};  ///< working grid; {0, 0}: that of the layer with the most queries
  /// One per layer, >= 0, sum 1 (to 1e-6), used as given; empty: proportional to the side of the
  /// layer's query grid (the square root of its cells).
  std::vector<double> weights = {};
  /// Smallest number of a map, in [1e-37, 1e-3]: ln must stay finite. The published code has none:
  /// maps that hold smaller numbers are up to 2e-4 nats off its divergences (1.5e-4 was seen). Half
  /// precision has no number between 0 and 6e-8: with 1e-9 it gives the labels of single precision
  /// on > 99.99 % of the pixels of the golden cases (both floored so); with 1e-30 a zero weighs far
  /// more than it means.
  double floor = 1e-30;
  /// >= 1; without a `grid`: the working grid's sides are those of the layer with the most queries
  /// divided by this, rounded up; an approximation, whose maps are smaller by its fourth power.
  Index shrink = 1;
  /// Queries of a finer layer than the working grid: of those that a cell covers the one in the
  /// middle, not their mean. The others' numbers are not read, nor checked; an approximation.
  bool sample = false;

  /// -> Maps<float> [T x T] by default.
  template <class Scalar = float>
  [[nodiscard]] Maps<Scalar> operator()(const Layers& layers) const {
    Maps<Scalar> maps;
    (*this)(layers, maps);
    return maps;
  }

  /// The same into `maps`; reuses its storage if no one else holds it. After an exception the maps
  /// are empty, or as they were if no attention was read.
  template <class Scalar>
  void operator()(const Layers& layers, Maps<Scalar>& maps) const {
    Workspace workspace;
    (*this)(layers, maps, workspace);
  }

  /// The same with what an earlier call has left in `workspace`.
  template <class Scalar>
  void operator()(const Layers& layers, Maps<Scalar>& maps, Workspace& workspace) const;

  /// The stage for a chain that works in another scalar: `Aggregate{}.as<double>() | Compare{}`.
  template <class Scalar>
  [[nodiscard]] auto as() const {
    return [stage = *this](const Layers& layers) { return stage.operator()<Scalar>(layers); };
  }

  /// The grid of the maps that these layers would make. Throws what operator() would throw for the
  /// layers' fields and the grid, without reading any attention.
  [[nodiscard]] GridSize working_grid(const Layers& layers) const {
    detail::require(!layers.empty(), "Aggregate: layers must not be empty");
    GridSize working = grid;
    const bool chosen = grid != GridSize{};
    for (std::size_t i = 0; i < layers.size(); ++i) {
      layers[i].check("Aggregate", static_cast<Index>(i));
      if (!chosen && layers[i].queries.cells() > working.cells()) working = layers[i].queries;
    }
    detail::require(shrink >= 1, "Aggregate: shrink must be >= 1, got ", shrink);
    detail::require(shrink == 1 || !chosen, "Aggregate: shrink must be 1 beside a grid, got ",
                    shrink);
    working = {(working.height - 1) / shrink + 1, (working.width - 1) / shrink + 1};
    Maps<double>::check_grid(working, "Aggregate");
    detail::check_floor(floor, "Aggregate");
    return working;
  }

  /// The maps and what the stage works with for these layers. Throws as working_grid().
  template <class Scalar = float>
  [[nodiscard]] SegmentMemory memory(const Layers& layers) const {
    return detail::aggregate_memory<Scalar>(layers, weights, working_grid(layers));
  }

 private:
  /// One weight per layer, and what to scale the sum of the layers by.
  [[nodiscard]] std::pair<std::vector<double>, double> layer_weights(const Layers& layers) const {
    std::vector<double> result = weights;
    if (weights.empty()) {
      for (const Layer& layer : layers) result.push_back(detail::side_weight(layer));
    }
    detail::require(result.size() == layers.size(),
                    "Aggregate: weights must be one per layer, got ", result.size(), " for ",
                    layers.size(), " layers");
    for (const double weight : result) detail::check_weight(weight, "Aggregate");
    const double sum = std::accumulate(result.begin(), result.end(), 0.0);
    if (weights.empty()) return {result, 1 / sum};
    detail::check_weight_sum(sum, "Aggregate");
    return {result, 1.0};
  }

  [[nodiscard]] static Index bytes(const Layers& layers) {
    Index total = 0;
    for (const Layer& layer : layers) total += layer.bytes();
    return total;
  }
};

template <class Scalar>
void Aggregate::operator()(const Layers& layers, Maps<Scalar>& maps, Workspace& workspace) const {
  const GridSize working = working_grid(layers);
  const auto [raw, factor] = layer_weights(layers);
  Maps<Scalar> result = std::exchange(maps, {});
  const Index map_bytes = working.cells() * working.cells() * static_cast<Index>(sizeof(Scalar));
  const detail::ProfileScope scope("Aggregate", bytes(layers) + map_bytes);
  const auto along_queries = sample ? detail::Resampling::sample : detail::Resampling::repeat;
  const bool products = std::any_of(layers.begin(), layers.end(), [](const Layer& layer) {
    return layer.kind == LayerKind::queries_keys;
  });
  const auto source = [&](std::size_t i) {
    return detail::LayerSource{&layers[i], static_cast<Index>(i), "Aggregate"};
  };
  if (products) {
    // Their rows are best made many at a time; the bits are the same.
    auto& sums = workspace.get<detail::LayerSums<Scalar>>();
    sums.start(working, std::move(result), along_queries);
    for (std::size_t i = 0; i < layers.size(); ++i) sums.add(source(i), raw[i]);
    maps = sums.finish(factor, floor);
    return;
  }
  detail::LayerGroups<Scalar> groups;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (raw[i] == 0) continue;
    detail::find_group(groups, layers[i], working, along_queries)
        .members.push_back({detail::LayerRows<Scalar>(source(i)), static_cast<Scalar>(raw[i])});
  }
  detail::build_maps(groups, working, along_queries, factor, floor, result.reset(working),
                     workspace.get<detail::MapScratch<Scalar>>());
  maps = std::move(result);
}

}  // namespace diffseg
