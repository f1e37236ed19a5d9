// SPDX-License-Identifier: MIT
// The mean of all rows of a matrix, judged on the way.
#pragma once

#include <algorithm>
#include <span>

#include "diffseg/core/bits.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/core/parallel.hpp"

namespace diffseg::detail {

/// rows [R x n], R >= 1 -> their mean [n], added up in double in fixed blocks; of the rows `sample`
/// alone unless that is empty. Errors: std::invalid_argument, opened by `stage`, naming the first
/// row with a NaN or an infinity.
template <class Scalar>
[[nodiscard]] Eigen::VectorXd column_means(const Matrix<Scalar>& rows, const char* stage,
                                           std::span<const Index> sample = {}) {
  constexpr Index block = 256;
  const Index count = sample.empty() ? rows.rows() : static_cast<Index>(sample.size());
  const Index blocks = (count + block - 1) / block;
  Matrix<double> sums = Matrix<double>::Zero(blocks, rows.cols());
  parallel_for(blocks, [&](Index index) {
    double* sum = sums.row(index).data();
    const Index end = std::min((index + 1) * block, count);
    for (Index i = index * block; i < end; ++i) {
      const Index row = sample.empty() ? i : sample[static_cast<std::size_t>(i)];
      const Scalar* values = rows.row(row).data();
      require(all_finite(values, rows.cols()), stage, ": rows must be finite, row ", row,
              " is not");
      for (Index k = 0; k < rows.cols(); ++k) sum[k] += static_cast<double>(values[k]);
    }
  });
  for (Index index = 1; index < blocks; ++index) sums.row(0) += sums.row(index);
  return sums.row(0).transpose() / static_cast<double>(count);
}

}  // namespace diffseg::detail
