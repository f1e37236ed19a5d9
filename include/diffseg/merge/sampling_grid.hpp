// SPDX-License-Identifier: MIT
// Where the anchors sit on the grid of maps.
#pragma once

#include <memory>
#include <vector>

#include "diffseg/core/cache.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// How My anchors are placed on a side of h cells.
enum class AnchorPlacement {
  cell_centred,  ///< floor((k + 1/2) * h / My - 1/2): covers the side for every 1 <= My <= h
  published      ///< start + k * step of the published code: may cover only part of the side
};

/// Positions of `count` anchors on a side of `side` cells, ascending. Requires 1 <= count <= side.
[[nodiscard]] inline std::vector<Index> anchor_positions(Index side, Index count,
                                                         AnchorPlacement placement) {
  require(count >= 1 && count <= side, "SamplingGrid: anchors per side must be in 1..", side,
          ", got ", count);
  std::vector<Index> positions(static_cast<std::size_t>(count));
  const Index step = count > 1 ? (side - 1) / (count - 1) : 0;
  const Index start = ((side - 1) - step * (count - 1)) / 2;
  for (Index k = 0; k < count; ++k) {
    positions[static_cast<std::size_t>(k)] = placement == AnchorPlacement::published
                                                 ? start + step * k
                                                 : ((2 * k + 1) * side - count) / (2 * count);
  }
  return positions;
}

/// The anchors of a grid as token indices, row-major over the anchor grid.
class SamplingGrid {
 public:
  /// Requires 1 <= anchors.height <= grid.height, likewise for the width.
  SamplingGrid(GridSize grid, GridSize anchors, AnchorPlacement placement) {
    const auto rows = anchor_positions(grid.height, anchors.height, placement);
    const auto columns = anchor_positions(grid.width, anchors.width, placement);
    tokens_.reserve(rows.size() * columns.size());
    for (const Index y : rows) {
      for (const Index x : columns) tokens_.push_back(y * grid.width + x);
    }
  }

  /// [anchors.cells()] token indices.
  [[nodiscard]] const std::vector<Index>& tokens() const { return tokens_; }

 private:
  std::vector<Index> tokens_;
};

struct SamplingGridKey {
  GridSize grid;
  GridSize anchors;
  AnchorPlacement placement;
  friend bool operator==(const SamplingGridKey&, const SamplingGridKey&) = default;
};

inline Cache<SamplingGridKey, SamplingGrid>& sampling_grid_cache() {
  static Cache<SamplingGridKey, SamplingGrid> cache(64);
  return cache;
}

/// The grid of these arguments, built once per process (the 64 used last are kept).
[[nodiscard]] inline std::shared_ptr<const SamplingGrid> cached_sampling_grid(
    GridSize grid, GridSize anchors, AnchorPlacement placement) {
  return sampling_grid_cache().get({grid, anchors, placement},
                                   [&] { return SamplingGrid(grid, anchors, placement); });
}

[[nodiscard]] inline CacheStatistics sampling_grid_statistics() {
  return sampling_grid_cache().statistics();
}

}  // namespace diffseg::detail
