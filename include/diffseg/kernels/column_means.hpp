// SPDX-License-Identifier: MIT
// The mean of all rows of a matrix, judged on the way.
#pragma once

#include <algorithm>

#include "diffseg/core/check.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/core/types.hpp"
#include "diffseg/kernels/detail/finite.hpp"

namespace diffseg {

/// rows [R x n], R >= 1 -> mean row [n], added up in double in fixed blocks of rows. Errors:
/// std::invalid_argument, opened by `stage`, naming the first row with a NaN or an infinity.
template <class Scalar>
[[nodiscard]] Eigen::VectorXd column_means(const Matrix<Scalar>& rows, const char* stage) {
  constexpr Index block = 256;
  const Index blocks = (rows.rows() + block - 1) / block;
  Matrix<double> sums = Matrix<double>::Zero(blocks, rows.cols());
  parallel_for(blocks, [&](Index index) {
    double* sum = sums.row(index).data();
    const Index end = std::min((index + 1) * block, rows.rows());
    for (Index row = index * block; row < end; ++row) {
      const Scalar* values = rows.row(row).data();
      require(all_finite(values, rows.cols()), stage, ": rows must be finite, row ", row,
              " is not");
      for (Index i = 0; i < rows.cols(); ++i) sum[i] += static_cast<double>(values[i]);
    }
  });
  for (Index index = 1; index < blocks; ++index) sums.row(0) += sums.row(index);
  return sums.row(0).transpose() / static_cast<double>(rows.rows());
}

}  // namespace diffseg
