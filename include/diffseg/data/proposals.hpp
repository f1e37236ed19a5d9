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
};

}  // namespace diffseg
