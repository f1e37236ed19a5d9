// SPDX-License-Identifier: MIT
// Sparse layers out of what others keep: sparse matrices, and the largest entries of each row.
#pragma once

#include <Eigen/SparseCore>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "diffseg/data/layer.hpp"

namespace diffseg {

/// A row-major sparse matrix of attention; Column is std::int32_t or std::int64_t.
template <class Element, class Column = std::int32_t>
using SparseRowMatrix = Eigen::SparseMatrix<Element, Eigen::RowMajor, Column>;

namespace detail {

template <class Element, class Column>
void check_matrix(const SparseRowMatrix<Element, Column>& matrix, Index heads, GridSize grid) {
  const Index cells = checked_product(grid.height, grid.width, "sparse_layer");
  require(heads >= 1 && matrix.rows() == checked_product(heads, cells, "sparse_layer") &&
              matrix.cols() == cells,
          "sparse_layer: a matrix must be [heads * cells x cells], got ", matrix.rows(), " x ",
          matrix.cols(), " for ", heads, " heads and ", grid.height, " x ", grid.width, " cells");
  require(matrix.isCompressed(), "sparse_layer: a matrix must be compressed, call makeCompressed");
}

/// The layer of a checked matrix, whose numbers `kept` may keep alive.
template <class Element, class Column>
Layer matrix_layer(const SparseRowMatrix<Element, Column>& matrix, Index heads, GridSize grid,
                   std::shared_ptr<const void> kept) {
  static constexpr Column no_column = 0;  // an empty matrix has no storage, and null is refused
  static const Element no_value{};
  using Owner = std::pair<std::vector<Index>, std::shared_ptr<const void>>;
  const Column* starts = matrix.outerIndexPtr();
  auto owner = std::make_shared<const Owner>(std::vector<Index>(starts, starts + matrix.rows() + 1),
                                             std::move(kept));
  const bool empty = matrix.nonZeros() == 0;
  Layer layer = Layer::compressed_rows(empty ? &no_value : matrix.valuePtr(),
                                       empty ? &no_column : matrix.innerIndexPtr(),
                                       owner->first.data(), heads, grid);
  layer.owner = std::move(owner);
  return layer;
}

}  // namespace detail

/// View of a compressed matrix [heads * grid.cells() x grid.cells()], one head below the other, as
/// a sparse layer; row starts are copied, numbers and columns are not. Missing entries are zeros.
/// Throws std::invalid_argument for another size and an uncompressed matrix.
template <class Element, class Column>
[[nodiscard]] Layer sparse_layer(const SparseRowMatrix<Element, Column>& matrix, Index heads,
                                 GridSize grid) {
  detail::check_matrix(matrix, heads, grid);
  return detail::matrix_layer(matrix, heads, grid, nullptr);
}

/// The same, keeping the matrix.
template <class Element, class Column>
[[nodiscard]] Layer sparse_layer(SparseRowMatrix<Element, Column>&& matrix, Index heads,
                                 GridSize grid) {
  detail::check_matrix(matrix, heads, grid);
  auto kept = std::make_shared<SparseRowMatrix<Element, Column>>();
  kept->swap(matrix);
  return detail::matrix_layer(*kept, heads, grid, kept);
}

/// One compressed matrix [grid.cells() x grid.cells()] for each head as one sparse layer, which
/// holds a copy of them.
template <class Element, class Column>
[[nodiscard]] Layer sparse_layer(const std::vector<SparseRowMatrix<Element, Column>>& heads,
                                 GridSize grid) {
  std::vector<Element> values;
  std::vector<Column> columns;
  std::vector<Index> starts = {0};
  for (const auto& head : heads) {
    detail::check_matrix(head, 1, grid);
    const auto before = static_cast<Index>(values.size());
    values.insert(values.end(), head.valuePtr(), head.valuePtr() + head.nonZeros());
    columns.insert(columns.end(), head.innerIndexPtr(), head.innerIndexPtr() + head.nonZeros());
    for (Index row = 1; row <= head.rows(); ++row) {
      starts.push_back(before + head.outerIndexPtr()[row]);
    }
  }
  return Layer::owning(std::move(values), std::move(columns), std::move(starts),
                       static_cast<Index>(heads.size()), grid);
}

/// View of `count` entries of every row, [heads, grid.cells(), count] numbers and their keys in any
/// order, as torch.topk returns them: a sparse layer. Row starts are made here. `count` >= 1.
template <class Element, class Column>
[[nodiscard]] Layer sparse_layer(const Element* values, const Column* columns, Index count,
                                 Index heads, GridSize grid) {
  auto starts = detail::even_starts(count, heads, grid);
  Layer layer = Layer::compressed_rows(values, columns, starts->data(), heads, grid);
  layer.owner = std::move(starts);
  return layer;
}

}  // namespace diffseg
