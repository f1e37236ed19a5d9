// SPDX-License-Identifier: MIT
// Matrix products with the same bits for any number of threads. Eigen's own cut their sums by the
// number of threads that it may use, which others set for the whole process (Eigen::setNbThreads).
#pragma once

#include <algorithm>

#include "diffseg/core/packet.hpp"
#include "diffseg/core/parallel.hpp"

namespace diffseg::detail {

/// Operands of a product, rows `stride` apart: a [rows x depth], b [depth x columns].
template <class Real>
struct Product {
  const Real* a;
  Index a_stride;
  const Real* b;
  Index b_stride;
  Real* out;
  Index out_stride;
};

/// out += a b for `Rows` rows, `Packets` packets of columns and the terms [begin, end), which are
/// added up in registers first.
template <int Rows, int Packets, class Real>
void product_tile(const Product<Real>& p, Index row, Index column, Index begin, Index end) {
  using namespace Eigen::internal;
  using Lanes = Packet<Real>;
  constexpr Index lanes = packet_size<Real>;
  Lanes totals[Rows * Packets];
  for_constants<Rows * Packets>([&](auto i) { totals[i] = pset1<Lanes>(Real(0)); });
  const Real* a = p.a + row * p.a_stride;
  for (Index k = begin; k < end; ++k) {
    const Real* b = p.b + k * p.b_stride + column;
    Lanes line[Packets];
    for_constants<Packets>([&](auto i) { line[i] = ploadu<Lanes>(b + i * lanes); });
    for_constants<Rows>([&](auto j) {
      const Lanes factor = pset1<Lanes>(a[j * p.a_stride + k]);
      for_constants<Packets>([&](auto i) {
        totals[j * Packets + i] = pmadd(factor, line[i], totals[j * Packets + i]);
      });
    });
  }
  for_constants<Rows * Packets>([&](auto i) {
    Real* out = p.out + (row + i / Packets) * p.out_stride + column + i % Packets * lanes;
    pstoreu(out, padd(ploadu<Lanes>(out), totals[i]));
  });
}

/// The same for all columns of `Rows` rows; what is left of a packet number by number.
template <int Rows, class Real>
void product_rows(const Product<Real>& p, Index row, Index columns, Index begin, Index end) {
  constexpr Index lanes = packet_size<Real>;
  Index column = 0;
  for (; column + 4 * lanes <= columns; column += 4 * lanes) {
    product_tile<Rows, 4>(p, row, column, begin, end);
  }
  for (; column + lanes <= columns; column += lanes) {
    product_tile<Rows, 1>(p, row, column, begin, end);
  }
  for (; column < columns; ++column) {
    for (Index j = row; j < row + Rows; ++j) {
      Real total = 0;
      for (Index k = begin; k < end; ++k) {
        total = multiply_add(p.a[j * p.a_stride + k], p.b[k * p.b_stride + column], total);
      }
      p.out[j * p.out_stride + column] += total;
    }
  }
}

/// a [m x k] b [k x n] -> [m x n].
template <class Real>
[[nodiscard]] Matrix<Real> product(const Matrix<Real>& a, const Matrix<Real>& b) {
  constexpr Index block = 16;  // rows of a task
  constexpr Index some = 256;  // terms whose part of b stays in the cache
  Matrix<Real> out = Matrix<Real>::Zero(a.rows(), b.cols());
  const Product<Real> p{a.data(), a.cols(), b.data(), b.cols(), out.data(), out.cols()};
  parallel_for((a.rows() + block - 1) / block, [&](Index index) {
    const Index last = std::min(a.rows(), (index + 1) * block);
    for (Index begin = 0; begin < a.cols(); begin += some) {
      const Index end = std::min(a.cols(), begin + some);
      Index row = index * block;
      for (; row + 4 <= last; row += 4) product_rows<4>(p, row, b.cols(), begin, end);
      for (; row < last; ++row) product_rows<1>(p, row, b.cols(), begin, end);
    }
  });
  return out;
}

template <class Real>
[[nodiscard]] Matrix<Real> transposed(const Matrix<Real>& a) {
  return a.transpose();
}

}  // namespace diffseg::detail
