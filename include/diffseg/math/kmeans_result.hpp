// SPDX-License-Identifier: MIT
// What every KMeans is asked and answers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "diffseg/core/bits.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/core/parallel.hpp"

namespace diffseg::detail {

/// What a KMeans found.
template <class Scalar = float>
struct KMeansResult {
  Matrix<Scalar> centres;            ///< [K x n]
  std::vector<std::int32_t> labels;  ///< [R] the nearest centre of each row
  double inertia = 0;           ///< sum of squared distances to it, from differences, in double
  Index iterations = 0;         ///< passes over the rows, or mini-batches
  bool converged = false;       ///< false: stopped by the most iterations
  std::vector<Index> reseeded;  ///< centres that were empty or starved and moved to rows, in time
};

template <class Scalar>
void check_centres(const Matrix<Scalar>& rows, const Matrix<Scalar>& centres) {
  require(centres.rows() >= 1 && centres.rows() <= rows.rows(),
          "KMeans: clusters must be 1 .. the number of rows ", rows.rows(), ", got ",
          centres.rows());
  require(centres.cols() == rows.cols(), "KMeans: centres must have the width of the rows ",
          rows.cols(), ", got ", centres.cols());
  for (Index k = 0; k < centres.rows(); ++k) {
    require(all_finite(centres.row(k).data(), centres.cols()),
            "KMeans: centres must be finite, centre ", k, " is not");
  }
}

/// The numbers [index * count, (index + 1) * count) of a list, as far as it goes.
inline std::span<const Index> part(std::span<const Index> all, Index index, Index count) {
  const auto begin = static_cast<std::size_t>(index * count);
  return all.subspan(begin, std::min(static_cast<std::size_t>(count), all.size() - begin));
}

/// Sum over all rows of the squared distance to their centre; by blocks, joined in order.
template <class Scalar>
double inertia(const Matrix<Scalar>& rows, const Matrix<Scalar>& centres,
               const std::vector<std::int32_t>& labels, std::vector<double>& distances) {
  constexpr Index block = 64;
  distances.resize(labels.size());
  parallel_for((rows.rows() + block - 1) / block, [&](Index index) {
    const Index end = std::min((index + 1) * block, rows.rows());
    for (Index row = index * block; row < end; ++row) {
      const auto label = labels[static_cast<std::size_t>(row)];
      distances[static_cast<std::size_t>(row)] =
          (rows.row(row) - centres.row(label)).template cast<double>().squaredNorm();
    }
  });
  return std::accumulate(distances.begin(), distances.end(), 0.0);
}

}  // namespace diffseg::detail
