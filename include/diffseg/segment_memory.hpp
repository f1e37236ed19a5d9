// SPDX-License-Identifier: MIT
// How much memory segment() needs, told before any of it is allocated.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/packet.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/core/types.hpp"
#include "diffseg/math/divergence.hpp"
#include "diffseg/math/pooling.hpp"
#include "diffseg/stages/aggregate.hpp"
#include "diffseg/stages/assign.hpp"
#include "diffseg/stages/compare.hpp"
#include "diffseg/stages/detail/layer_rows.hpp"
#include "diffseg/stages/merge.hpp"

namespace diffseg {

/// Bytes that segment() holds at its peak beyond the layers, by what they are for.
struct SegmentMemory {
  double maps = 0;       ///< [T x T]
  double sums = 0;       ///< of layers on other grids, where some are queries with keys
  double anchors = 0;    ///< of Compare, with their logarithms and block sums
  double matches = 0;    ///< pairs below the ceiling: found, sorted, stored, and what Merge reads
  double proposals = 0;  ///< before and after an iteration of Merge
  double labels = 0;     ///< of the pixels
  double scratch = 0;    ///< of as many threads as there would be now

  [[nodiscard]] double total() const {
    return maps + sums + anchors + matches + proposals + labels + scratch;
  }
};

namespace detail {

/// Counts the bytes of each stage, one after the other. What a stage has freed is counted on: the
/// next one may find the storage still held.
template <class Scalar>
class MemoryCount {
 public:
  explicit MemoryCount(GridSize grid)
      : grid_(grid), cells_(static_cast<double>(grid.cells())), threads_(thread_count()) {
    memory_.maps = cells_ * cells_ * number;
  }

  [[nodiscard]] const SegmentMemory& memory() const { return memory_; }

  void aggregate(const Layers& layers, const std::vector<double>& weights) {
    std::vector<std::pair<GridSize, GridSize>> groups;
    bool products = false;
    double keys = 0, heights = 0, depth = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Layer& layer = layers[i];
      products = products || layer.kind == LayerKind::queries_keys;
      if (i < weights.size() && weights[i] == 0) continue;
      keys = std::max(keys, static_cast<double>(layer.keys.cells()));
      heights = std::max(heights, static_cast<double>(layer.keys.height));
      depth = std::max(depth, static_cast<double>(layer.depth));
      const std::pair both{layer.queries, layer.keys};
      if (std::find(groups.begin(), groups.end(), both) == groups.end()) groups.push_back(both);
    }
    const auto count = static_cast<double>(groups.size());
    // Each group's sum so far, four rows of keys, rows stretched to the grid's width.
    const double building = count * cells_ + 4 * keys + heights * static_cast<double>(grid_.width);
    memory_.scratch += threads_ * building * number;
    // The order of the queries, twice while it is sorted, the sources of each group, resamplers.
    memory_.scratch += (2 + count) * cells_ * 8 + count * keys * number;
    if (!products) return;
    constexpr auto block = static_cast<double>(SoftmaxProducts<Scalar>::block);
    memory_.scratch += threads_ * (keys * (2 + 3 * block) + depth * (block + 64)) * number;
    for (const auto& [queries, own] : groups) {
      if (queries == grid_ && own == grid_) continue;  // these lie in the maps
      memory_.sums +=
          static_cast<double>(queries.cells()) * static_cast<double>(own.cells()) * number;
    }
  }

  /// `share` of the pairs match.
  void compare(double anchors, double share) {
    constexpr auto lanes = static_cast<double>(packet_size<Scalar>);
    const double packed = 2 * (cells_ + lanes) + lanes;
    const double pooled = 2 * static_cast<double>(Pooling(grid_).blocks());
    memory_.anchors += anchors * (packed + pooled) * number;
    constexpr double rows = 16;
    const double sums = anchors * 4 * lanes * 4 + 4 * (anchors + 4 * lanes);
    memory_.scratch += threads_ * (rows * (packed + pooled) + cells_ + sums) * number;
    memory_.scratch += threads_ * 4 * anchors * 4 + cells_ * 8;
    memory_.matches += pair_bytes() * share * anchors * cells_;
  }

  void merge(double anchors, double share, bool later) {
    memory_.proposals += (later ? 2 : 1) * anchors * cells_ * number;
    if (later) memory_.matches += pair_bytes() * share * anchors * anchors;
    memory_.scratch += threads_ * (4096 * number + 10 * cells_);
  }

  void assign(double anchors, GridSize size) {
    const double pixels = static_cast<double>(size.height) * static_cast<double>(size.width);
    memory_.labels += 4 * pixels;
    const double width = static_cast<double>(grid_.width) + 16;
    memory_.scratch += threads_ * (anchors + 3) * width * number;
    memory_.scratch += (static_cast<double>(grid_.height) / 3 + 1) * (anchors + 64);
  }

 private:
  static constexpr double number = sizeof(Scalar);

  /// A match as found, in a vector that grows by doubling; sorted; stored; as an index of Merge's
  /// sets, which grow likewise, and of their runs.
  static constexpr double pair_bytes() {
    constexpr double growth = 1.5;
    return growth * sizeof(Match<Scalar>) + sizeof(std::pair<int, Scalar>) + 4 + number +
           growth * sizeof(Index) + 4;
  }

  GridSize grid_;
  double cells_;
  double threads_;
  SegmentMemory memory_;
};

}  // namespace detail

/// What Aggregate, Compare, Merge and Assign need in a row, on a working grid. How many pairs match
/// is known only afterwards: `match_share` of them are counted.
template <class Scalar>
[[nodiscard]] SegmentMemory stage_memory(const Layers& layers, GridSize grid,
                                         const Aggregate& aggregate, const Compare& compare,
                                         const Merge& merge, const Assign& assign,
                                         double match_share) {
  detail::MemoryCount<Scalar> count(grid);
  const double anchors = static_cast<double>(std::min(compare.anchors.height, grid.height)) *
                         static_cast<double>(std::min(compare.anchors.width, grid.width));
  count.aggregate(layers, aggregate.weights);
  count.compare(anchors, match_share);
  count.merge(anchors, match_share, merge.thresholds.size() > 1);
  count.assign(anchors, assign.size);
  return count.memory();
}

}  // namespace diffseg
