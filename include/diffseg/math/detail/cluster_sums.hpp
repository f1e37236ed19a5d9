// SPDX-License-Identifier: MIT
// Sums of the rows of each cluster, kept up to date as rows change cluster.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "diffseg/core/parallel.hpp"

namespace diffseg::detail {

/// A row that goes to another cluster.
struct ClusterMove {
  Index row;
  std::int32_t from;  ///< -1: it was in none
  std::int32_t to;    ///< -1: it will be in none
};

/// Sums [K x n] in double, so that what is taken away leaves nothing behind in float.
class ClusterSums {
 public:
  ClusterSums(Index clusters, Index width)
      : sums_(Matrix<double>::Zero(clusters, width)),
        counts_(static_cast<std::size_t>(clusters), 0) {}

  [[nodiscard]] const std::vector<Index>& counts() const { return counts_; }

  void set_zero() {
    sums_.setZero();
    std::fill(counts_.begin(), counts_.end(), 0);
  }

  /// Carries out the moves of rows [R x n], in their order, whatever the tiles of columns.
  template <class Scalar>
  void apply(const Matrix<Scalar>& rows, std::span<const ClusterMove> moves) {
    // Few moves are not worth a second thread.
    const Index tile = moves.size() * static_cast<std::size_t>(sums_.cols()) < (1U << 20U)
                           ? std::max<Index>(1, sums_.cols())
                           : Index{512};
    for (const ClusterMove& move : moves) {
      if (move.from >= 0) --counts_[static_cast<std::size_t>(move.from)];
      if (move.to >= 0) ++counts_[static_cast<std::size_t>(move.to)];
    }
    parallel_for((sums_.cols() + tile - 1) / tile, [&](Index index) {
      const Index begin = index * tile;
      const Index count = std::min(tile, sums_.cols() - begin);
      for (const ClusterMove& move : moves) {
        const Scalar* row = rows.data() + move.row * rows.cols() + begin;
        if (move.from >= 0) add(row, count, -1.0, &sums_(move.from, begin));
        if (move.to >= 0) add(row, count, 1.0, &sums_(move.to, begin));
      }
    });
  }

  /// The mean of cluster k, which is not empty, as a row.
  [[nodiscard]] auto mean(Index k) const {
    return sums_.row(k) / static_cast<double>(counts_[static_cast<std::size_t>(k)]);
  }
  [[nodiscard]] auto sum(Index k) const { return sums_.row(k); }

 private:
  template <class Scalar>
  static void add(const Scalar* row, Index count, double sign, double* sum) {
    for (Index i = 0; i < count; ++i) sum[i] += sign * static_cast<double>(row[i]);
  }

  Matrix<double> sums_;
  std::vector<Index> counts_;
};

}  // namespace diffseg::detail
