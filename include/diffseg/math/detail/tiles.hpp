// SPDX-License-Identifier: MIT
// Small matrix products held in registers, for operands too narrow to be worth repacking.
#pragma once

#include <type_traits>
#include <utility>

#include "diffseg/core/packet.hpp"

namespace diffseg::detail {

/// sums[(4 * column + row) * lanes + lane] += the products of `count` numbers of 4 rows, `stride`
/// apart, and `Columns` columns, `column_stride` apart; all aligned, count a multiple of lanes.
template <int Columns, class Scalar>
void dot_tile(const Scalar* rows, Index stride, const Scalar* columns, Index column_stride,
              Index count, Scalar* sums) {
  using namespace Eigen::internal;
  using Lanes = Packet<Scalar>;
  constexpr Index lanes = packet_size<Scalar>;
  Lanes totals[4 * Columns];
  for_constants<4 * Columns>([&](auto i) { totals[i] = pload<Lanes>(sums + i * lanes); });
  for (Index i = 0; i < count; i += lanes) {
    const Lanes x0 = pload<Lanes>(rows + i);
    const Lanes x1 = pload<Lanes>(rows + stride + i);
    const Lanes x2 = pload<Lanes>(rows + 2 * stride + i);
    const Lanes x3 = pload<Lanes>(rows + 3 * stride + i);
    for_constants<Columns>([&](auto column) {
      const Lanes c = pload<Lanes>(columns + column * column_stride + i);
      totals[4 * column] = pmadd(x0, c, totals[4 * column]);
      totals[4 * column + 1] = pmadd(x1, c, totals[4 * column + 1]);
      totals[4 * column + 2] = pmadd(x2, c, totals[4 * column + 2]);
      totals[4 * column + 3] = pmadd(x3, c, totals[4 * column + 3]);
    });
  }
  for_constants<4 * Columns>([&](auto i) { pstore(sums + i * lanes, totals[i]); });
}

/// sums[j * sum_stride + i] += the sum over `count` rows r of weights[r * weight_stride + j] times
/// rows[r * stride + i], for j < 4 and i < 4 packets; rows and sums aligned.
template <class Scalar>
void outer_tile(const Scalar* rows, Index stride, Index count, const Scalar* weights,
                Index weight_stride, Scalar* sums, Index sum_stride) {
  using namespace Eigen::internal;
  using Lanes = Packet<Scalar>;
  constexpr Index lanes = packet_size<Scalar>;
  Lanes totals[16];
  const auto place = [&](int i) { return sums + i / 4 * sum_stride + i % 4 * lanes; };
  for_constants<16>([&](auto i) { totals[i] = pload<Lanes>(place(i)); });
  for (Index row = 0; row < count; ++row, rows += stride, weights += weight_stride) {
    const Lanes x0 = pload<Lanes>(rows);
    const Lanes x1 = pload<Lanes>(rows + lanes);
    const Lanes x2 = pload<Lanes>(rows + 2 * lanes);
    const Lanes x3 = pload<Lanes>(rows + 3 * lanes);
    for_constants<4>([&](auto j) {
      const Lanes weight = pset1<Lanes>(weights[j]);
      totals[4 * j] = pmadd(weight, x0, totals[4 * j]);
      totals[4 * j + 1] = pmadd(weight, x1, totals[4 * j + 1]);
      totals[4 * j + 2] = pmadd(weight, x2, totals[4 * j + 2]);
      totals[4 * j + 3] = pmadd(weight, x3, totals[4 * j + 3]);
    });
  }
  for_constants<16>([&](auto i) { pstore(place(i), totals[i]); });
}

}  // namespace diffseg::detail
