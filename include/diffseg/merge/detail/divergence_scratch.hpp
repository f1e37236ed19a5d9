// SPDX-License-Identifier: MIT
// What a search for divergences below a ceiling works with, and how much that is.
#pragma once

#include <array>
#include <vector>

#include "diffseg/core/parallel.hpp"
#include "diffseg/data/memory.hpp"
#include "diffseg/merge/detail/matches.hpp"
#include "diffseg/merge/detail/packed_rows.hpp"
#include "diffseg/merge/detail/pooling.hpp"

namespace diffseg::detail {

/// What a search works with; kept for the next one, it allocates nothing again.
template <class Scalar>
struct DivergenceScratch {
  static constexpr Index block = 16;  ///< most rows of one search

  /// What one thread needs.
  struct Thread {
    PackedRows<Scalar> queries;
    Buffer<Scalar> pooled, line, bounds;
    std::array<Buffer<Scalar>, block / 4> sums;
    std::array<std::vector<int>, block / 4> candidates;
    std::vector<Match<Scalar>> found;  ///< of one block of rows
  };

  /// Gives back what a search may not hold beside `most` matches: an earlier one kept as many as it
  /// found.
  void release(Index most) {
    matches = {};
    if (gather.entries.capacity() > static_cast<std::size_t>(most)) gather = {};
  }

  PackedRows<Scalar> anchors;
  Buffer<Scalar> pooled;  ///< of the anchors, [blocks x 2 x stride]
  std::vector<Thread> threads;
  std::vector<std::vector<Match<Scalar>>> matches;  ///< of each block of rows
  std::vector<Index> evaluated;                     ///< pairs, by block of rows
  GatherScratch<Scalar> gather;
};

/// What a search of `anchors` among all maps of a grid needs: the anchors, the scratch of its
/// threads, and `share` of all pairs as matches.
template <class Scalar>
[[nodiscard]] SegmentMemory search_memory(GridSize grid, double anchors, double share) {
  constexpr double number = sizeof(Scalar);
  constexpr auto lanes = static_cast<double>(packet_size<Scalar>);
  constexpr auto rows = static_cast<double>(DivergenceScratch<Scalar>::block);
  const auto cells = static_cast<double>(grid.cells());
  const auto threads = static_cast<double>(thread_count());
  const double packed = 2 * (cells + lanes) + lanes;
  const double pooled = 2 * static_cast<double>(Pooling(grid).blocks());
  const double sums = anchors * 4 * lanes * 4 + 4 * (anchors + 4 * lanes);
  return {.anchors = anchors * (packed + pooled) * number,
          .matches = match_bytes<Scalar>() * share * anchors * cells,
          .scratch = threads * (rows * (packed + pooled) + cells + sums) * number +
                     threads * anchors * (4 * 4 + rows * sizeof(Match<Scalar>)) + cells * 8};
}

}  // namespace diffseg::detail
