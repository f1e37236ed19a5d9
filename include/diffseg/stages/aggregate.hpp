// SPDX-License-Identifier: MIT
// Aggregate: attention layers -> Maps.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/packet.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/types.hpp"
#include "diffseg/math/attention.hpp"
#include "diffseg/stages/detail/map_builder.hpp"

namespace diffseg {

/// Attention layers -> Maps: mean over heads, keys to the working grid (bilinear up, area sum
/// down), every map scaled to sum 1, queries to the working grid (repeat up, mean down), weighted
/// sum over layers (Tian et al., arXiv 2308.12469, section 3.2). Layers may have any grids, heads
/// and element types; scaling a layer changes nothing. Errors: std::invalid_argument for layers
/// that are empty or out of range and for attention that is negative, NaN, infinite or all zero.
struct Aggregate {
  GridSize grid = {};  ///< working grid; {0, 0}: that of the layer with the most queries
  /// One per layer, >= 0, sum 1 (to 1e-6), used as given; empty: proportional to the side of the
  /// layer's query grid (the square root of its cells).
  std::vector<double> weights = {};
  double floor = 1e-30;  ///< smallest number of a map, in [1e-37, 1e-3]: ln must stay finite

  /// -> Maps<float> [T x T] by default.
  template <class Scalar = float>
  [[nodiscard]] Maps<Scalar> operator()(const Layers& layers) const {
    Maps<Scalar> maps;
    (*this)(layers, maps);
    return maps;
  }

  /// The same into `maps`; reuses its storage if no one else holds it.
  template <class Scalar>
  void operator()(const Layers& layers, Maps<Scalar>& maps) const {
    const GridSize working = check(layers);
    ProfileScope scope("Aggregate", bytes(layers) + working.cells() * working.cells() *
                                                        static_cast<Index>(sizeof(Scalar)));
    const auto groups = detail::group_layers<Scalar>(layers, layer_weights(layers), working);
    const auto order = detail::shared_order(groups, working.cells());
    auto& rows = maps.reset(working);
    constexpr Index piece = 64;
    parallel_for((working.cells() + piece - 1) / piece,
                 [&] { return detail::MapBuilder<Scalar>(groups, working); },
                 [&](Index index, detail::MapBuilder<Scalar>& builder) {
                   const Index end = std::min((index + 1) * piece, working.cells());
                   for (Index i = index * piece; i < end; ++i) {
                     const Index token = order[static_cast<std::size_t>(i)];
                     Scalar* row = rows.data() + token * working.cells();
                     builder.build(token, row);
                     raise_to_floor(row, working.cells());
                   }
                 });
  }

  /// The stage for a chain that works in another scalar: `Aggregate{}.as<double>() | Compare{}`.
  template <class Scalar>
  [[nodiscard]] auto as() const {
    return [stage = *this](const Layers& layers) { return stage.operator()<Scalar>(layers); };
  }

 private:
  /// Refuses what cannot be aggregated; returns the working grid.
  [[nodiscard]] GridSize check(const Layers& layers) const {
    require(!layers.empty(), "Aggregate: layers must not be empty");
    GridSize working = grid;
    const bool chosen = grid != GridSize{};
    for (std::size_t i = 0; i < layers.size(); ++i) {
      check_layer(layers[i], i, "Aggregate");
      if (!chosen && layers[i].queries.cells() > working.cells()) working = layers[i].queries;
    }
    require(working.height >= 1 && working.width >= 1,
            "Aggregate: grid must be at least 1 x 1, or {0, 0} for the finest layer's, got ",
            working.height, " x ", working.width);
    const Index tokens = checked_product(working.height, working.width, "Aggregate");
    (void)checked_product(checked_product(tokens, tokens, "Aggregate"), Index{8}, "Aggregate");
    require(floor >= 1e-37 && floor <= 1e-3, "Aggregate: floor must be in [1e-37, 1e-3], got ",
            floor);
    return working;
  }

  [[nodiscard]] std::vector<double> layer_weights(const Layers& layers) const {
    std::vector<double> result = weights;
    if (weights.empty()) {
      for (const Layer& layer : layers) {
        result.push_back(std::sqrt(static_cast<double>(layer.queries.cells())));
      }
      const double total = std::accumulate(result.begin(), result.end(), 0.0);
      for (double& weight : result) weight /= total;
    }
    require(result.size() == layers.size(), "Aggregate: weights must be one per layer, got ",
            result.size(), " for ", layers.size(), " layers");
    for (const double weight : result) {
      require(is_finite(weight) && weight >= 0, "Aggregate: weights must be finite and >= 0, got ",
              weight);
    }
    const double sum = std::accumulate(result.begin(), result.end(), 0.0);
    require(std::abs(sum - 1) <= 1e-6, "Aggregate: weights must sum to 1, got ", sum,
            "; divide each by it");
    return result;
  }

  [[nodiscard]] static Index bytes(const Layers& layers) {
    Index total = 0;
    for (const Layer& layer : layers) total += layer_bytes(layer);
    return total;
  }

  template <class Scalar>
  void raise_to_floor(Scalar* row, Index tokens) const {
    Eigen::Map<Buffer<Scalar>> map(row, tokens);
    map = map.max(static_cast<Scalar>(floor));
    // A floor that adds visible mass would break "sum 1".
    if (floor * static_cast<double>(tokens) > 1e-7) map /= map.sum();
  }
};

}  // namespace diffseg
