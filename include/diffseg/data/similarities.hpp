// SPDX-License-Identifier: MIT
// What Compare finds.
#pragma once

#include <Eigen/SparseCore>
#include <utility>
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

  Similarities() = default;
  Similarities(const Similarities&) = default;  ///< the maps are shared
  /// Moves what Eigen 3.4 would copy, the sparse matrix, which allocates even when it is empty.
  Similarities(Similarities&& other) : Similarities() {  // NOLINT(performance-noexcept-move*)
    swap(other);
  }
  /// A copy, or what was moved here.
  Similarities& operator=(Similarities other) {
    swap(other);
    return *this;
  }
  ~Similarities() = default;

  /// Exchanges all, copies nothing.
  void swap(Similarities& other) noexcept {
    std::swap(maps, other.maps);
    anchors.swap(other.anchors);
    std::swap(ceiling, other.ceiling);
    divergences.swap(other.divergences);
    std::swap(evaluated, other.evaluated);
  }

  /// Refuses what contradicts itself: no maps or anchors, anchors that are no cells of the maps,
  /// divergences that are not [M x T]. Looks at no divergence.
  void check(const char* stage) const {
    maps.check(stage);
    const Index tokens = maps.tokens();
    const auto count = static_cast<Index>(anchors.size());
    detail::require(count >= 1 && divergences.rows() == count && divergences.cols() == tokens,
                    stage, ": divergences must be [anchors x maps], at least 1 x 1, got ",
                    divergences.rows(), " x ", divergences.cols(), " for ", count, " anchors and ",
                    tokens, " maps");
    for (const Index anchor : anchors) {
      detail::require(anchor >= 0 && anchor < tokens, stage, ": anchors must be cells 0 .. ",
                      tokens - 1, ", got ", anchor);
    }
  }
};

}  // namespace diffseg
