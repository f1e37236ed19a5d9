// SPDX-License-Identifier: MIT
// Small matrix products held in registers, for operands too narrow to be worth repacking.
#pragma once

#include "diffseg/core/packet.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// sums[(4 * column + row) * lanes + lane] += the products of `count` numbers of 4 rows, `stride`
/// apart, and `Columns` columns, `column_stride` apart; all aligned, count a multiple of lanes.
template <int Columns, class Scalar>
void dot_tile(const Scalar* rows, Index stride, const Scalar* columns, Index column_stride,
              Index count, Scalar* sums) {
  using namespace Eigen::internal;
  using Lanes = Packet<Scalar>;
  constexpr Index lanes = packet_size<Scalar>;
  Lanes totals[Columns][4];
  for (auto& column : totals) {
    for (Lanes& total : column) total = pset1<Lanes>(Scalar(0));
  }
  for (Index i = 0; i < count; i += lanes) {
    const Lanes x0 = pload<Lanes>(rows + i);
    const Lanes x1 = pload<Lanes>(rows + stride + i);
    const Lanes x2 = pload<Lanes>(rows + 2 * stride + i);
    const Lanes x3 = pload<Lanes>(rows + 3 * stride + i);
    for (int column = 0; column < Columns; ++column) {
      const Lanes c = pload<Lanes>(columns + column * column_stride + i);
      totals[column][0] = pmadd(x0, c, totals[column][0]);
      totals[column][1] = pmadd(x1, c, totals[column][1]);
      totals[column][2] = pmadd(x2, c, totals[column][2]);
      totals[column][3] = pmadd(x3, c, totals[column][3]);
    }
  }
  for (int column = 0; column < Columns; ++column) {
    for (int row = 0; row < 4; ++row) {
      Scalar* sum = sums + (4 * column + row) * lanes;
      pstore(sum, padd(pload<Lanes>(sum), totals[column][row]));
    }
  }
}

/// sums[j * sum_stride + i] += the sum over `count` rows r of weights[r * weight_stride + j] times
/// rows[r * stride + i], for j < 4 and i < 4 packets; rows and sums aligned.
template <class Scalar>
void outer_tile(const Scalar* rows, Index stride, Index count, const Scalar* weights,
                Index weight_stride, Scalar* sums, Index sum_stride) {
  using namespace Eigen::internal;
  using Lanes = Packet<Scalar>;
  constexpr Index lanes = packet_size<Scalar>;
  Lanes totals[4][4];
  for (int j = 0; j < 4; ++j) {
    for (int i = 0; i < 4; ++i) totals[j][i] = pload<Lanes>(sums + j * sum_stride + i * lanes);
  }
  for (Index row = 0; row < count; ++row, rows += stride, weights += weight_stride) {
    const Lanes x0 = pload<Lanes>(rows);
    const Lanes x1 = pload<Lanes>(rows + lanes);
    const Lanes x2 = pload<Lanes>(rows + 2 * lanes);
    const Lanes x3 = pload<Lanes>(rows + 3 * lanes);
    for (int j = 0; j < 4; ++j) {
      const Lanes weight = pset1<Lanes>(weights[j]);
      totals[j][0] = pmadd(weight, x0, totals[j][0]);
      totals[j][1] = pmadd(weight, x1, totals[j][1]);
      totals[j][2] = pmadd(weight, x2, totals[j][2]);
      totals[j][3] = pmadd(weight, x3, totals[j][3]);
    }
  }
  for (int j = 0; j < 4; ++j) {
    for (int i = 0; i < 4; ++i) pstore(sums + j * sum_stride + i * lanes, totals[j][i]);
  }
}

}  // namespace diffseg::detail
