// SPDX-License-Identifier: MIT
// What Compare finds.
#pragma once

#include <Eigen/SparseCore>
#include <vector>

#include "diffseg/data/maps.hpp"

namespace diffseg {

/// Sparse divergences of M anchors against all T maps: the pairs below a ceiling, nothing else.
template <class Scalar = float>
struct Similarities {
  Maps<Scalar> maps;           ///< what was compared
  std::vector<Index> anchors;  ///< [M] token index of each anchor, row-major over the anchor grid
  double ceiling = 0;          ///< nats; every pair with a divergence below it is stored
  Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int> divergences;  ///< [M x T], nats
  Index evaluated = 0;  ///< pairs that needed a full divergence; the others a bound rejected
};

}  // namespace diffseg
