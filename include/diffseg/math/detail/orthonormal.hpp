// SPDX-License-Identifier: MIT
// Orthonormal rows and eigenvectors of small Gram matrices, with the same bits for any number of
// threads. All are templates, so that only who calls them waits for Eigen's solver to compile; it
// is instantiated for double alone.
#pragma once

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>

#include "diffseg/math/detail/products.hpp"

namespace diffseg::detail {

/// Eigenvalues >= 0 of a Gram matrix [l x l], descending, and its eigenvectors as rows.
template <class Real>
struct Spectrum {
  Eigen::VectorX<Real> values;
  Matrix<Real> vectors;
};

template <class Real>
[[nodiscard]] Spectrum<Real> spectrum_of(const Matrix<Real>& gram) {
  const Eigen::MatrixX<Real> columns = gram;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixX<Real>> solver(columns);
  return {solver.eigenvalues().reverse().cwiseMax(0),
          solver.eigenvectors().rowwise().reverse().transpose()};
}

/// Orthonormal rows that span what the rows [l x n] span, up to the square of their condition
/// number in double; rows without length become 0.
template <class Scalar>
[[nodiscard]] Matrix<Scalar> orthonormalised(const Matrix<Scalar>& rows) {
  const Matrix<double> wide = rows.template cast<double>();
  Spectrum<double> spectrum = spectrum_of(product(wide, transposed(wide)));
  const double least = 1e-13 * spectrum.values.maxCoeff();
  for (Index i = 0; i < spectrum.values.size(); ++i) {
    const bool long_enough = spectrum.values[i] > least;
    spectrum.vectors.row(i) *= long_enough ? 1 / std::sqrt(spectrum.values[i]) : 0.0;
  }
  return product(spectrum.vectors, wide).template cast<Scalar>();
}

/// The same, and orthogonal to the orthonormal rows `basis`; a row that the basis spans becomes 0.
/// Twice: the first round leaves what rounding adds in the direction of the basis.
template <class Scalar>
[[nodiscard]] Matrix<Scalar> orthonormalised(const Matrix<Scalar>& basis, Matrix<Scalar> rows) {
  constexpr Scalar negligible = 1000 * std::numeric_limits<Scalar>::epsilon();
  for (int round = 0; round < 2; ++round) {
    const Matrix<Scalar> before = rows.rowwise().norm();
    rows -= product(product(rows, transposed(basis)), basis);
    for (Index row = 0; row < rows.rows(); ++row) {
      if (rows.row(row).norm() <= negligible * before(row, 0)) rows.row(row).setZero();
    }
    rows = orthonormalised(rows);
  }
  return rows;
}

/// Makes rows [k x n], k <= n, orthonormal in their order, twice for full precision; a row that
/// the others span already becomes any direction that they do not.
template <class Real>
void orthonormalise_rows(Matrix<Real>& rows) {
  for (Index k = 0; k < rows.rows(); ++k) {
    auto row = rows.row(k);
    const auto project = [&] {
      const Real before = row.norm();
      for (int twice = 0; twice < 2; ++twice) {
        for (Index i = 0; i < k; ++i) row -= row.dot(rows.row(i)) * rows.row(i);
      }
      const Real left = row.norm();
      if (!(left > Real(1e-6) * before)) return false;
      row /= left;
      return true;
    };
    for (Index axis = 0; !project(); ++axis) row.setZero()[axis] = 1;
  }
}

}  // namespace diffseg::detail
