// SPDX-License-Identifier: MIT
// Sums of maps over the blocks of a partition of their grid.
#pragma once

#include <algorithm>
#include <vector>

#include "diffseg/core/types.hpp"

namespace diffseg {

/// Cuts a grid into at most 8 x 8 blocks of nearly equal sides and sums maps over them.
class Pooling {
 public:
  static constexpr Index max_side = 8;

  explicit Pooling(GridSize grid) : grid_(grid) {
    const Index rows = std::min(max_side, grid.height);
    const Index columns = std::min(max_side, grid.width);
    for (Index i = 0; i <= rows; ++i) rows_.push_back(i * grid.height / rows);
    for (Index i = 0; i <= columns; ++i) columns_.push_back(i * grid.width / columns);
  }

  [[nodiscard]] Index blocks() const {
    return static_cast<Index>((rows_.size() - 1) * (columns_.size() - 1));
  }
  /// An upper bound of the additions behind one block's sum.
  [[nodiscard]] Index depth() const {
    return (grid_.height + max_side - 1) / max_side + (grid_.width + max_side - 1) / max_side + 2;
  }

  /// out [blocks()] = the sums of map [grid.cells()] over the blocks; line is scratch [width].
  template <class Scalar>
  void sum(const Scalar* map, Scalar* out, Scalar* line) const {
    using Line = Eigen::Array<Scalar, Eigen::Dynamic, 1>;
    Eigen::Map<Line> total(line, grid_.width);
    for (std::size_t by = 0; by + 1 < rows_.size(); ++by) {
      total = Eigen::Map<const Line>(map + rows_[by] * grid_.width, grid_.width);
      for (Index y = rows_[by] + 1; y < rows_[by + 1]; ++y) {
        total += Eigen::Map<const Line>(map + y * grid_.width, grid_.width);
      }
      for (std::size_t bx = 0; bx + 1 < columns_.size(); ++bx) {
        Scalar block = line[columns_[bx]];
        for (Index x = columns_[bx] + 1; x < columns_[bx + 1]; ++x) block += line[x];
        *out++ = block;
      }
    }
  }

 private:
  GridSize grid_;
  std::vector<Index> rows_;
  std::vector<Index> columns_;
};

}  // namespace diffseg
