// SPDX-License-Identifier: MIT
// Layers added up one after the other; none is needed again.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "diffseg/attention/detail/map_builder.hpp"
#include "diffseg/data/maps.hpp"
#include "diffseg/data/memory.hpp"

namespace diffseg::detail {

inline void check_floor(double floor, const char* stage) {
  require(floor >= 1e-37 && floor <= 1e-3, stage, ": floor must be in [1e-37, 1e-3], got ", floor);
}

inline void check_weight(double weight, const char* stage) {
  require(is_finite(weight) && weight >= 0, stage, ": weights must be finite and >= 0, got ",
          weight);
}

inline void check_weight_sum(double sum, const char* stage) {
  require(std::abs(sum - 1) <= 1e-6, stage, ": weights must sum to 1, got ", sum,
          "; divide each by it");
}

/// The weight of a layer that is given none, before all are scaled to sum 1: the side of its query
/// grid (the square root of its cells).
inline double side_weight(const Layer& layer) {
  return std::sqrt(static_cast<double>(layer.queries.cells()));
}

/// The weighted sums of layers, each on its own grids, and the maps that they make. Layers on the
/// working grid are added up in the maps' own storage. Used again, it keeps its other storage.
template <class Scalar>
class LayerSums {
 public:
  /// Forgets what was added. Reuses the storage of `maps` if no one else holds it.
  void start(GridSize grid, Maps<Scalar> maps = {}, Resampling along_queries = Resampling::repeat) {
    grid_ = grid;
    maps_ = std::move(maps);
    along_queries_ = along_queries;
    groups_.clear();
    used_ = 0;
  }

  /// Adds a layer that Layer::check has passed.
  void add(const LayerSource& source, double weight) {
    if (weight == 0) return;  // unread, as Aggregate leaves it
    const Layer& layer = *source.layer;
    if (layer.kind == LayerKind::queries_keys) refuse_invalid_products(source);
    auto& group = find_group(groups_, layer, grid_, along_queries_);
    const bool first = group.sums == nullptr;
    if (first) group.sums = storage(layer);
    const LayerRows<Scalar> rows(source);
    const Index count = layer.queries.cells();
    const Index together = rows.block();
    const auto needed = group.needed_pieces(together);
    const auto add_piece = [&](Index piece, auto& scratch) {
      if (needed[static_cast<std::size_t>(piece)] == 0) return;
      const Index end = std::min(count, (piece + 1) * together);
      rows.read(piece * together, end, scratch, [&](Index query, const Scalar* row) {
        group.add_row(rows, query, row, static_cast<Scalar>(weight), first,
                      group.sums + query * layer.keys.cells());
      });
    };
    parallel_for((count + together - 1) / together, reading_,
                 [&](auto& scratch) { rows.prepare(scratch); }, add_piece);
  }

  /// factor * the sum of what was added, at least `floor`. Then nothing is left to add to, but for
  /// storage.
  Maps<Scalar> finish(double factor, double floor) {
    build_maps(groups_, grid_, along_queries_, factor, floor, maps_.reset(grid_), building_);
    Maps<Scalar> maps = std::move(maps_);
    start(grid_);
    return maps;
  }

 private:
  Scalar* storage(const Layer& layer) {
    if (layer.queries == grid_ && layer.keys == grid_) return maps_.reset(grid_).data();
    if (used_ == kept_.size()) kept_.emplace_back();
    auto& sums = kept_[used_++];
    const Index rows = layer.queries.cells();
    const Index cols = layer.keys.cells();
    set_size(sums, rows, cols);
    return sums.data();
  }

  GridSize grid_;
  Maps<Scalar> maps_;
  Resampling along_queries_ = Resampling::repeat;
  LayerGroups<Scalar> groups_;
  std::vector<Matrix<Scalar>> kept_;  // sums on other grids, the first `used_` of this image
  std::size_t used_ = 0;
  std::vector<typename LayerRows<Scalar>::Scratch> reading_;
  MapScratch<Scalar> building_;
};

/// What Aggregate and its stream need beside the layers: `scratch` of LayerSums and MapBuilder, and
/// `sums` of layers on other grids.
template <class Scalar>
[[nodiscard]] SegmentMemory aggregate_memory(const Layers& layers,
                                             const std::vector<double>& weights, GridSize grid) {
  constexpr double number = sizeof(Scalar);
  const auto cells = static_cast<double>(grid.cells());
  const auto threads = static_cast<double>(thread_count());
  std::vector<std::pair<GridSize, GridSize>> groups;
  bool products = false;
  double keys = 0, heights = 0, depth = 0, unaligned = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    products = products || layer.kind == LayerKind::queries_keys;
    if (i < weights.size() && weights[i] == 0) continue;
    keys = std::max(keys, static_cast<double>(layer.keys.cells()));
    heights = std::max(heights, static_cast<double>(layer.keys.height));
    depth = std::max(depth, static_cast<double>(layer.depth));
    unaligned = std::max(unaligned, static_cast<double>(unaligned_room<Scalar>(layer)));
    const std::pair both{layer.queries, layer.keys};
    if (std::find(groups.begin(), groups.end(), both) == groups.end()) groups.push_back(both);
  }
  const auto count = static_cast<double>(groups.size());
  SegmentMemory memory{.maps = cells * cells * number};
  // Each group's sum so far, a map, five rows of keys, rows stretched to the grid's width.
  const double building =
      (count + 1) * cells + 5 * keys + unaligned + heights * static_cast<double>(grid.width);
  memory.scratch = threads * building * number;
  // The order of the queries, twice while it is sorted, the sources of each group, resamplers.
  memory.scratch += (2 + count) * cells * 8 + count * keys * number;
  if (!products) return memory;
  constexpr auto block = static_cast<double>(SoftmaxProducts<Scalar>::block);
  memory.scratch +=
      threads * (keys * (3 + block) + SoftmaxProducts<Scalar>::numbers(keys, depth)) * number;
  for (const auto& [queries, own] : groups) {
    if (queries == grid && own == grid) continue;  // these lie in the maps
    memory.sums += static_cast<double>(queries.cells()) * static_cast<double>(own.cells()) * number;
  }
  return memory;
}

}  // namespace diffseg::detail
