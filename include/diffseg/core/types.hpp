// SPDX-License-Identifier: MIT
// Numbers, matrices and grids: the words that everything else is written in.
#pragma once

#include <Eigen/Core>

namespace diffseg {

using Index = Eigen::Index;  ///< signed, as wide as a pointer

/// A dense row-major matrix; one map per row.
template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Rows and columns of a grid of cells, tokens or pixels; cell (y, x) has index y * width + x.
struct GridSize {
  Index height = 0;  ///< rows, >= 1 in valid data
  Index width = 0;   ///< columns, >= 1 in valid data

  /// Cells of the grid, pixels of an image.
  [[nodiscard]] constexpr Index cells() const { return height * width; }
  /// The same height and width.
  friend constexpr bool operator==(const GridSize&, const GridSize&) = default;
};

namespace detail {

/// Numbers aligned for packets; resize() leaves them unset.
template <class Scalar>
using Buffer = Eigen::Array<Scalar, Eigen::Dynamic, 1>;

/// Sees to room for `count` numbers at least, unset; a larger buffer stays, for the next use.
template <class Scalar>
void make_room(Buffer<Scalar>& buffer, Index count) {
  // Not resize(), which frees first: without memory it would leave a pointer to what is gone.
  if (buffer.size() < count) buffer = Buffer<Scalar>(count);
}

/// Gives `matrix` another size, its numbers unset. Not resize(), as above; what it had goes first,
/// so that both need not be held at once.
template <class Dense>
void set_size(Dense& matrix, Index rows, Index cols) {
  if (matrix.rows() == rows && matrix.cols() == cols) return;
  matrix = Dense();
  matrix = Dense(rows, cols);
}

}  // namespace detail

}  // namespace diffseg
