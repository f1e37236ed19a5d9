// SPDX-License-Identifier: MIT
// Orthonormal rows and eigenvectors of small Gram matrices, with the same bits for any number of
// threads. All are templates, so that only who calls them waits for Eigen's solvers to compile.
#pragma once

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>

#include "diffseg/core/parallel.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// A product in one piece: Eigen's own threads would change its bits.
template <class Body>
void keep_serial(const Body& body) {
  parallel_for(1, [&](Index) { body(); });
}

/// Orthonormal rows that span what the rows [l x n] span, up to the square of their condition
/// number in double; rows without length become 0.
template <class Scalar>
void orthonormalise(Matrix<Scalar>& rows) {
  const Matrix<double> wide = rows.template cast<double>();
  const Eigen::MatrixXd gram = wide * wide.transpose();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
  const Eigen::ArrayXd lengths = solver.eigenvalues();
  const double least = 1e-13 * std::max(0.0, lengths.maxCoeff());
  Eigen::VectorXd scale = Eigen::VectorXd::Zero(lengths.size());
  for (Index i = 0; i < lengths.size(); ++i) {
    if (lengths[i] > least) scale[i] = 1 / std::sqrt(lengths[i]);
  }
  const Matrix<double> turn = scale.asDiagonal() * solver.eigenvectors().transpose();
  rows = (turn * wide).template cast<Scalar>();
}

/// The same, and orthogonal to the orthonormal rows `basis`; a row that the basis spans becomes 0.
/// Twice: the first round leaves what rounding adds in the direction of the basis.
template <class Scalar>
void orthonormalise(const Eigen::Ref<const Matrix<Scalar>>& basis, Matrix<Scalar>& rows) {
  constexpr Scalar negligible = 1000 * std::numeric_limits<Scalar>::epsilon();
  for (int round = 0; round < 2; ++round) {
    const Matrix<Scalar> before = rows.rowwise().norm();
    const Matrix<Scalar> along = rows * basis.transpose();
    rows.noalias() -= along * basis;
    for (Index row = 0; row < rows.rows(); ++row) {
      if (rows.row(row).norm() <= negligible * before(row, 0)) rows.row(row).setZero();
    }
    orthonormalise(rows);
  }
}

/// Makes rows [k x n], k <= n, orthonormal in their order, twice for full precision; a row that
/// the others span already becomes any direction that they do not.
template <class Real>
void orthonormalise_rows(Matrix<Real>& rows) {
  for (Index k = 0; k < rows.rows(); ++k) {
    auto row = rows.row(k);
    const auto project = [&] {
      const Real before = row.norm();
      for (int twice = 0; twice < 2 && k > 0; ++twice) {
        const Eigen::RowVector<Real, Eigen::Dynamic> along = row * rows.topRows(k).transpose();
        row -= along * rows.topRows(k);
      }
      const Real left = row.norm();
      if (!(left > Real(1e-6) * before)) return false;
      row /= left;
      return true;
    };
    for (Index axis = 0; !project(); ++axis) {
      row = Eigen::RowVector<Real, Eigen::Dynamic>::Unit(rows.cols(), axis);
    }
  }
}

/// Eigenvalues of X^T X by descent, and what turns `basis` [n x l] into its eigenvectors.
template <class Real>
struct Spectrum {
  Eigen::VectorX<Real> values;
  Matrix<Real> vectors;  ///< columns
};

template <class Real>
Spectrum<Real> descending(const Eigen::MatrixX<Real>& gram) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixX<Real>> solver(gram);
  return {solver.eigenvalues().reverse().cwiseMax(0), solver.eigenvectors().rowwise().reverse()};
}

/// Products of all columns (`of_columns`) or of all rows of x with each other.
template <class Real>
Eigen::MatrixX<Real> smaller_gram(const Matrix<Real>& x, bool of_columns) {
  constexpr Index block = 64;
  const Index count = of_columns ? x.cols() : x.rows();
  Eigen::MatrixX<Real> gram(count, count);
  parallel_for((count + block - 1) / block, [&](Index index) {
    const Index begin = index * block;
    const Index width = std::min(block, count - begin);
    if (of_columns) {
      gram.middleCols(begin, width).noalias() = x.transpose() * x.middleCols(begin, width);
    } else {
      gram.middleCols(begin, width).noalias() = x * x.middleRows(begin, width).transpose();
    }
  });
  return gram;
}

}  // namespace diffseg::detail
