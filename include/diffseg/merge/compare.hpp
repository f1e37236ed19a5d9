// SPDX-License-Identifier: MIT
// Compare: Maps -> Similarities.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/workspace.hpp"
#include "diffseg/data/similarities.hpp"
#include "diffseg/merge/divergence.hpp"
#include "diffseg/merge/sampling_grid.hpp"

namespace diffseg {

/// Maps -> the sparse divergences [M x T] of a grid of anchors against all maps, those below a
/// ceiling. Exact: a bound rejects far pairs (block sums are never further apart than the maps),
/// all others are computed; the same pairs with the same bits as without the bound. Independent of
/// Merge's thresholds up to the ceiling: keep the result while a threshold moves.
/// Errors: std::invalid_argument for anchors outside the grid, a ceiling that is no positive
/// number, maps that are not positive, more pairs below the ceiling than match_limit.
struct Compare {
  using Stage = void;  ///< it may begin or follow a chain
  /// Where anchors sit.
  using Placement = detail::AnchorPlacement;

  GridSize anchors = {16, 16};  ///< rows and columns of anchors, each 1 .. side of the grid
  Placement placement = Placement::cell_centred;  ///< where they sit
  double ceiling = 1.0;  ///< nats, > 0; at least the first threshold of Merge
  bool fit = false;      ///< more anchors than cells on a side: as many as cells, not an error
  /// Pairs below the ceiling, >= 1; more are refused, once all are counted, and never held; 0: any.
  Index match_limit = 0;

  /// The divergences of the anchors of `maps`.
  template <class Scalar>
  [[nodiscard]] Similarities<Scalar> operator()(const Maps<Scalar>& maps) const {
    Similarities<Scalar> similarities;
    (*this)(maps, similarities);
    return similarities;
  }

  /// The same into `similarities`, reusing its storage. After an exception they are
  /// empty, or as they were if no map was read.
  template <class Scalar>
  void operator()(const Maps<Scalar>& maps, Similarities<Scalar>& similarities) const {
    Workspace workspace;
    (*this)(maps, similarities, workspace);
  }

  /// The same with what an earlier call has left in `workspace`.
  template <class Scalar>
  void operator()(const Maps<Scalar>& maps, Similarities<Scalar>& similarities,
                  Workspace& workspace) const;

  /// The anchors, `match_share` of the pairs and what the stage works with for maps on `grid`.
  template <class Scalar = float>
  [[nodiscard]] SegmentMemory memory(GridSize grid, double match_share) const {
    return detail::search_memory<Scalar>(grid, anchor_count(grid), match_share);
  }

  /// Anchors on `grid`, at most one for each row and column.
  [[nodiscard]] double anchor_count(GridSize grid) const {
    return static_cast<double>(std::min(anchors.height, grid.height)) *
           static_cast<double>(std::min(anchors.width, grid.width));
  }

 private:
  [[nodiscard]] GridSize anchors_on(GridSize grid) const {
    const bool below = fit || (anchors.height <= grid.height && anchors.width <= grid.width);
    detail::require(anchors.height >= 1 && anchors.width >= 1 && below,
                    "Compare: anchors must be within 1 x 1 .. ", grid.height, " x ", grid.width,
                    ", got ", anchors.height, " x ", anchors.width);
    return {std::min(anchors.height, grid.height), std::min(anchors.width, grid.width)};
  }

  /// The order of these arguments, built once per process (the 64 used last are kept).
  [[nodiscard]] static std::shared_ptr<const std::vector<Index>> cached_tiles(GridSize grid) {
    static detail::Cache<GridSize, std::vector<Index>> cache(64);
    return cache.get(grid, [&] { return tiles(grid); });
  }

  /// All tokens, 4 x 4 neighbours after each other and 2 x 2 within: they match the same anchors.
  [[nodiscard]] static std::vector<Index> tiles(GridSize grid) {
    std::vector<Index> order;
    order.reserve(static_cast<std::size_t>(grid.cells()));
    const auto add = [&](Index y, Index x) {
      if (y < grid.height && x < grid.width) order.push_back(y * grid.width + x);
    };
    for (Index y = 0; y < grid.height; y += 4) {
      for (Index x = 0; x < grid.width; x += 4) {
        for (Index i = 0; i < 16; ++i) {
          const Index pair = i / 4;
          add(y + pair / 2 * 2 + i % 4 / 2, x + pair % 2 * 2 + i % 2);
        }
      }
    }
    return order;
  }
};

template <class Scalar>
void Compare::operator()(const Maps<Scalar>& maps, Similarities<Scalar>& similarities,
                         Workspace& workspace) const {
  const Maps<Scalar> source = maps;  // they may be those of `similarities`
  source.check("Compare");
  const GridSize grid = source.grid();
  const GridSize used = anchors_on(grid);
  detail::require(ceiling > 0 && detail::is_finite(ceiling),
                  "Compare: ceiling must be > 0 and finite, got ", ceiling);
  detail::require(match_limit >= 0, "Compare: match_limit must be >= 0, got ", match_limit);
  Similarities<Scalar> result;
  result.swap(similarities);
  result.maps = source;
  const detail::ProfileScope scope(
      "Compare", source.tokens() * source.tokens() * static_cast<Index>(sizeof(Scalar)));
  result.ceiling = ceiling;
  result.anchors = detail::cached_sampling_grid(grid, used, placement)->tokens();
  result.evaluated = detail::divergences_below<Scalar>(
      source.rows(), result.anchors, *cached_tiles(grid), detail::Pooling(grid), ceiling, "Compare",
      result.divergences, workspace.get<detail::DivergenceScratch<Scalar>>(), match_limit);
  similarities.swap(result);
}

}  // namespace diffseg
