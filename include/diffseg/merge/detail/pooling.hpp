// SPDX-License-Identifier: MIT
// Sums of maps over the blocks of a partition of their grid.
#pragma once

#include <algorithm>
#include <vector>

#include "diffseg/core/packet.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg::detail {

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
    for (std::size_t by = 0; by + 1 < rows_.size(); ++by) {
      sum_rows(map + rows_[by] * grid_.width, rows_[by + 1] - rows_[by], line);
      for (std::size_t bx = 0; bx + 1 < columns_.size(); ++bx) {
        Scalar block = line[columns_[bx]];
        for (Index x = columns_[bx] + 1; x < columns_[bx + 1]; ++x) block += line[x];
        *out++ = block;
      }
    }
  }

 private:
  /// line [width] = the sum of `count` rows.
  template <class Scalar>
  void sum_rows(const Scalar* rows, Index count, Scalar* line) const {
    using namespace Eigen::internal;
    using Lanes = Packet<Scalar>;
    constexpr Index lanes = packet_size<Scalar>;
    Index x = 0;
    for (; x + lanes <= grid_.width; x += lanes) {
      Lanes total = ploadu<Lanes>(rows + x);
      for (Index y = 1; y < count; ++y) {
        total = padd(total, ploadu<Lanes>(rows + y * grid_.width + x));
      }
      pstoreu(line + x, total);
    }
    for (; x < grid_.width; ++x) {
      Scalar total = rows[x];
      for (Index y = 1; y < count; ++y) total += rows[y * grid_.width + x];
      line[x] = total;
    }
  }

  GridSize grid_;
  std::vector<Index> rows_;
  std::vector<Index> columns_;
};

}  // namespace diffseg::detail
