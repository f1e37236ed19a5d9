// SPDX-License-Identifier: MIT
// One map for each cell.
#pragma once

#include <memory>
#include <utility>

#include "diffseg/core/types.hpp"
#include "diffseg/data/detail/large_pages.hpp"

namespace diffseg {

/// One probability map for each of the T cells of the grid: rows [T x T], every number >= a
/// positive floor, every row sums to 1. A handle: copies share the numbers, which never change
/// while shared.
template <class Scalar = float>
class Maps {
 public:
  Maps() = default;
  /// Takes `rows` [grid.cells() x grid.cells()] over.
  Maps(GridSize grid, Matrix<Scalar> rows)
      : grid_(grid), rows_(std::make_shared<Matrix<Scalar>>(std::move(rows))) {}

  [[nodiscard]] GridSize grid() const { return grid_; }
  [[nodiscard]] Index tokens() const { return grid_.cells(); }
  [[nodiscard]] bool empty() const { return rows_ == nullptr; }
  /// [T x T]. Requires !empty().
  [[nodiscard]] const Matrix<Scalar>& rows() const { return *rows_; }

  /// Becomes [T x T] on `grid` with unspecified numbers and hands them out for writing; keeps the
  /// storage when the size is the same and no copy of this handle is alive.
  Matrix<Scalar>& reset(GridSize grid) {
    if (rows_ == nullptr || rows_.use_count() > 1) rows_ = std::make_shared<Matrix<Scalar>>();
    grid_ = grid;
    rows_->resize(grid.cells(), grid.cells());
    detail::prefer_large_pages(rows_->data(),
                               static_cast<std::size_t>(rows_->size()) * sizeof(Scalar));
    return *rows_;
  }

 private:
  GridSize grid_;
  std::shared_ptr<Matrix<Scalar>> rows_;
};

}  // namespace diffseg
