// SPDX-License-Identifier: MIT
// One map for each cell.
#pragma once

#include <memory>
#include <utility>

#include "diffseg/core/check.hpp"
#include "diffseg/core/large_pages.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg {

/// One probability map for each of the T cells of the grid: rows [T x T], every number >= a
/// positive floor, every row sums to 1. A handle: copies share the numbers, which never change
/// while shared.
template <class Scalar = float>
class Maps {
 public:
  Maps() = default;
  /// Takes `rows` [grid.cells() x grid.cells()] over. Errors: std::invalid_argument for a grid
  /// without cells, rows of another size.
  Maps(GridSize grid, Matrix<Scalar> rows) : grid_(grid) {
    check_grid(grid, "Maps");
    detail::require(rows.rows() == grid.cells() && rows.cols() == grid.cells(),
                    "Maps: rows must be [T x T] for a grid of ", grid.height, " x ", grid.width,
                    " cells, got ", rows.rows(), " x ", rows.cols());
    rows_ = std::make_shared<Matrix<Scalar>>(std::move(rows));
  }

  [[nodiscard]] GridSize grid() const { return grid_; }          ///< of the T cells
  [[nodiscard]] Index tokens() const { return grid_.cells(); }   ///< T
  [[nodiscard]] bool empty() const { return rows_ == nullptr; }  ///< there are none
  /// [T x T]; [0 x 0] when empty.
  [[nodiscard]] const Matrix<Scalar>& rows() const {
    static const Matrix<Scalar> none;
    return rows_ == nullptr ? none : *rows_;
  }

  /// Refuses maps that are not there.
  void check(const char* stage) const {
    detail::require(!empty(), stage, ": maps must not be empty");
  }
  /// Refuses a grid without cells, or whose maps cannot be addressed.
  static void check_grid(GridSize grid, const char* stage) {
    detail::require(grid.height >= 1 && grid.width >= 1, stage,
                    ": the grid must be at least 1 x 1, got ", grid.height, " x ", grid.width);
    detail::require(detail::product_fits(
                        {grid.height, grid.width, grid.height, grid.width, Index{sizeof(double)}}),
                    stage, ": sizes must multiply without overflow, got maps of ", grid.height,
                    " x ", grid.width, " cells");
  }

  /// Becomes [T x T] on `grid` with unspecified numbers and hands them out for writing; keeps the
  /// storage when the size is the same and no copy of this handle is alive. Where memory runs out
  /// (std::bad_alloc) the maps are empty.
  Matrix<Scalar>& reset(GridSize grid) {
    check_grid(grid, "Maps");
    const bool fits = rows_ != nullptr && rows_->rows() == grid.cells();
    if (!fits || !is_alone()) {
      *this = {};
      rows_ = std::make_shared<Matrix<Scalar>>(grid.cells(), grid.cells());
      detail::prefer_large_pages(rows_->data(),
                                 static_cast<std::size_t>(rows_->size()) * sizeof(Scalar));
    }
    grid_ = grid;
    return *rows_;
  }

 private:
  /// No copy is alive, and what the last one did to the numbers has happened.
  [[nodiscard]] bool is_alone() const {
    if (rows_.use_count() > 1) return false;
    // use_count() orders nothing. A copy that comes and goes does: its end acquires what the end of
    // every other one has released.
    const auto passing = rows_;  // NOLINT(performance-unnecessary-copy-initialization)
    return true;
  }

  GridSize grid_;
  std::shared_ptr<Matrix<Scalar>> rows_;
};

}  // namespace diffseg
