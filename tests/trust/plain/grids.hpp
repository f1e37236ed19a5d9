// SPDX-License-Identifier: MIT
// What each cell of a line gets of the cells of another line, as a table of whole fractions.
#pragma once

#include <algorithm>
#include <diffseg/core/types.hpp>

namespace plain {

using diffseg::GridSize;
using diffseg::Index;
using Table = diffseg::Matrix<double>;  // [to x from]

/// Half-pixel centres: source = (target + 1/2) from / to - 1/2, within 0 .. from - 1.
inline Table bilinear(Index from, Index to) {
  Table table = Table::Zero(to, from);
  for (Index i = 0; i < to; ++i) {
    // In units of 1 / (2 to), so that nothing is rounded before the division.
    const Index place = std::clamp((2 * i + 1) * from - to, Index{0}, (from - 1) * 2 * to);
    const Index low = place / (2 * to);
    const double part = static_cast<double>(place % (2 * to)) / static_cast<double>(2 * to);
    table(i, low) += 1 - part;
    table(i, std::min(low + 1, from - 1)) += part;
  }
  return table;
}

/// The part of each source cell that a target cell covers.
inline Table covered(Index from, Index to) {
  Table table = Table::Zero(to, from);
  for (Index i = 0; i < to; ++i) {
    for (Index j = 0; j < from; ++j) {
      const Index begin = std::max(i * from, j * to);
      const Index end = std::min((i + 1) * from, (j + 1) * to);
      table(i, j) = end > begin ? static_cast<double>(end - begin) / static_cast<double>(to) : 0;
    }
  }
  return table;
}

/// Enlarging: bilinear; reducing: the sum over what is covered.
inline Table mass(Index from, Index to) {
  return to >= from ? bilinear(from, to) : covered(from, to);
}

/// Enlarging: bilinear; reducing: the mean over what is covered.
inline Table mean(Index from, Index to) {
  if (to >= from) return bilinear(from, to);
  return covered(from, to) * (static_cast<double>(to) / static_cast<double>(from));
}

/// Enlarging: the cell target * from / to; reducing: the mean, or with `sample` the cell in the
/// middle.
inline Table repeat(Index from, Index to, bool sample = false) {
  if (to < from && !sample) return mean(from, to);
  Table table = Table::Zero(to, from);
  for (Index i = 0; i < to; ++i) {
    table(i, to >= from ? i * from / to : (2 * i + 1) * from / (2 * to)) = 1;
  }
  return table;
}

/// out [to cells] = rows * plane * columns^T for a plane [from cells], all row by row.
inline diffseg::detail::Buffer<double> resampled(const diffseg::detail::Buffer<double>& plane,
                                                 const Table& rows, const Table& columns) {
  diffseg::detail::Buffer<double> out =
      diffseg::detail::Buffer<double>::Zero(rows.rows() * columns.rows());
  for (Index y = 0; y < rows.rows(); ++y) {
    for (Index v = 0; v < rows.cols(); ++v) {
      if (rows(y, v) == 0) continue;
      for (Index x = 0; x < columns.rows(); ++x) {
        for (Index u = 0; u < columns.cols(); ++u) {
          out[y * columns.rows() + x] += rows(y, v) * columns(x, u) * plane[v * columns.cols() + u];
        }
      }
    }
  }
  return out;
}

}  // namespace plain
