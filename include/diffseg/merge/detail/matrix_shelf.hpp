// SPDX-License-Identifier: MIT
// Matrices that wait for their next use.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// Keeps matrices by their sizes: Eigen gives storage up when a size changes, and the number of
/// proposals does so from iteration to iteration and from image to image. Holds at most twice the
/// numbers of its largest matrix; those that came first go first.
template <class Scalar>
class MatrixShelf {
 public:
  /// [rows x cols], unset: one that was put here, or a new one.
  [[nodiscard]] Matrix<Scalar> take(Index rows, Index cols) {
    const auto fits = std::find_if(kept_.begin(), kept_.end(), [&](const auto& matrix) {
      return matrix.rows() == rows && matrix.cols() == cols;
    });
    if (fits == kept_.end()) return Matrix<Scalar>(rows, cols);
    Matrix<Scalar> matrix = std::move(*fits);
    kept_.erase(fits);
    return matrix;
  }

  void put(Matrix<Scalar> matrix) {
    if (matrix.size() == 0) return;
    kept_.push_back(std::move(matrix));
    Index total = 0;
    Index most = 0;
    for (const auto& kept : kept_) {
      total += kept.size();
      most = std::max(most, kept.size());
    }
    while (total > 2 * most) {
      total -= kept_.front().size();
      kept_.erase(kept_.begin());
    }
  }

  /// Matrices kept.
  [[nodiscard]] std::size_t size() const { return kept_.size(); }

 private:
  std::vector<Matrix<Scalar>> kept_;  // the last came last
};

}  // namespace diffseg::detail
