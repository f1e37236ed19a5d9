// SPDX-License-Identifier: MIT
// What Merge makes.
#pragma once

#include <vector>

#include "diffseg/data/maps.hpp"

namespace diffseg {

/// K maps, each the mean of maps that belong together.
template <class Scalar = float>
struct Proposals {
  Maps<Scalar> maps;                        ///< what was merged
  Matrix<Scalar> rows;                      ///< [K x T], positive, every row sums to 1
  std::vector<std::vector<Index>> anchors;  ///< [K] ascending indices into Similarities::anchors
  std::vector<Index> row_counts;            ///< [K] maps averaged, counted as often as they entered
  std::vector<Index> per_iteration;         ///< number of proposals after each iteration

  /// Refuses what contradicts itself: no maps or proposals, rows of another length than the maps
  /// have cells. Looks at no number.
  void check(const char* stage) const {
    maps.check(stage);
    detail::require(rows.rows() >= 1, stage, ": there must be at least one proposal, got 0");
    detail::require(rows.cols() == maps.tokens(), stage, ": proposals must have ", maps.tokens(),
                    " cells, those of their maps, got ", rows.cols());
  }
};

}  // namespace diffseg
