// SPDX-License-Identifier: MIT
// One tensor of attention, whatever it is made of.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg {

/// How the numbers of a Layer are stored.
enum class ElementType { f16, bf16, f32, f64 };

namespace detail {

/// Bytes of one number.
[[nodiscard]] constexpr Index element_bytes(ElementType type) {
  return type == ElementType::f64 ? 8 : type == ElementType::f32 ? 4 : 2;
}

}  // namespace detail

/// What the numbers of a Layer mean.
enum class LayerKind {
  probabilities,  ///< attention: every row is a distribution over keys
  scores,         ///< what the soft-max over keys makes probabilities of; -infinity: masked out
  queries_keys,   ///< queries in `data`, keys in `key_data`: the scores are scale * query . key
  sparse          ///< probabilities, of which some are stored and the others are 0
};

/// How the columns of a sparse Layer are stored.
enum class ColumnType { i32, i64 };

/// One self-attention tensor [heads, queries, keys], row-major: every row is a distribution over
/// keys, or what makes one, or some of its numbers (`kind`). A view: the numbers must stay alive
/// unless `owner` keeps them. Numbers of one row are neighbours; rows and heads lie as far apart as
/// the strides say.
struct Layer {
  const void* data = nullptr;  ///< [heads, queries, keys], or queries [heads, queries, depth]
  ElementType type = ElementType::f32;
  Index heads = 0;                    ///< >= 1
  GridSize queries;                   ///< grid of the query tokens
  GridSize keys;                      ///< grid of the key tokens
  std::shared_ptr<const void> owner;  ///< keeps the numbers alive when set
  LayerKind kind = LayerKind::probabilities;
  Index head_stride = 0;           ///< numbers from one head to the next; 0: as dense rows have it
  Index row_stride = 0;            ///< numbers from one query to the next; 0: dense
  const void* key_data = nullptr;  ///< queries_keys: keys [heads, keys, depth] of the same type
  Index depth = 0;                 ///< queries_keys: numbers of a query, >= 1
  double scale = 0;                ///< queries_keys: > 0; 0: 1 / sqrt(depth)
  Index key_head_stride = 0;       ///< as head_stride, of key_data
  Index key_row_stride = 0;        ///< as row_stride, of key_data
  /// The rows are parts of longer distributions: each head's is scaled to sum 1 before the mean.
  bool partial = false;
  std::vector<double> head_weights = {};  ///< one per head, >= 0, not all 0; empty: alike
  /// sparse: [heads * queries + 1] where in `data` and `columns` each row begins, and the last ends
  const Index* row_starts = nullptr;
  const void* columns = nullptr;  ///< sparse: the key of each number, in any order, each once a row
  ColumnType column_type = ColumnType::i32;
  /// sparse: what a row lacks of sum 1 lies evenly on the keys it does not store; else those are 0,
  /// and a head that stores less counts less in the mean (all alike with `partial`).
  bool spread_rest = false;

  /// View of `heads * grid.cells() * grid.cells()` numbers, queries and keys on one grid; Element
  /// is float, double, Eigen::half or Eigen::bfloat16.
  template <class Element>
  static Layer view(const Element* data, Index heads, GridSize grid) {
    return {data, type_of<Element>(), heads, grid, grid, nullptr};
  }
  /// A layer that keeps its numbers.
  template <class Element>
  static Layer owning(std::vector<Element> values, Index heads, GridSize grid) {
    auto kept = std::make_shared<const std::vector<Element>>(std::move(values));
    Layer layer = view(kept->data(), heads, grid);
    layer.owner = std::move(kept);
    return layer;
  }
  /// View of queries and keys [heads, grid.cells(), depth], whose attention is never stored.
  template <class Element>
  static Layer queries_and_keys(const Element* queries, const Element* keys, Index heads,
                                Index depth, GridSize grid) {
    Layer layer = view(queries, heads, grid);
    layer.kind = LayerKind::queries_keys;
    layer.key_data = keys;
    layer.depth = depth;
    return layer;
  }
  /// View of compressed sparse rows [heads * grid.cells() x grid.cells()]: row head * grid.cells()
  /// + query has values[i] at key columns[i], row_starts[row] <= i < row_starts[row + 1], and zeros
  /// elsewhere. Column is std::int32_t or std::int64_t. math/sparse_layer.hpp has what makes them.
  template <class Element, class Column>
  static Layer compressed_rows(const Element* values, const Column* columns,
                               const Index* row_starts, Index heads, GridSize grid) {
    static_assert(std::is_same_v<Column, std::int32_t> || std::is_same_v<Column, std::int64_t>,
                  "columns are std::int32_t or std::int64_t");
    Layer layer = view(values, heads, grid);
    layer.kind = LayerKind::sparse;
    layer.row_starts = row_starts;
    layer.columns = columns;
    layer.column_type = sizeof(Column) == 8 ? ColumnType::i64 : ColumnType::i32;
    return layer;
  }
  /// Compressed sparse rows that are kept.
  template <class Element, class Column>
  static Layer owning(std::vector<Element> values, std::vector<Column> columns,
                      std::vector<Index> row_starts, Index heads, GridSize grid) {
    struct Rows {
      std::vector<Element> values;
      std::vector<Column> columns;
      std::vector<Index> starts;
    };
    // Rows without any number are no null.
    if (values.empty()) values.resize(1);
    if (columns.empty()) columns.resize(1);
    auto kept = std::make_shared<const Rows>(
        Rows{std::move(values), std::move(columns), std::move(row_starts)});
    Layer layer = compressed_rows(kept->values.data(), kept->columns.data(), kept->starts.data(),
                                  heads, grid);
    layer.owner = std::move(kept);
    return layer;
  }
  /// The same numbers as cross-attention [heads, queries, tokens]: a view of `heads * grid.cells()
  /// * tokens` numbers; the text's tokens are the keys, in a grid of one row.
  [[nodiscard]] Layer over_tokens(Index tokens) const {
    Layer layer = *this;
    layer.keys = {1, tokens};
    return layer;
  }

  /// Numbers between queries and between heads, whether given or dense.
  [[nodiscard]] Index query_step() const {
    const Index row = kind == LayerKind::queries_keys ? depth : keys.cells();
    return row_stride != 0 ? row_stride : row;
  }
  [[nodiscard]] Index head_step() const {
    return head_stride != 0 ? head_stride : query_step() * queries.cells();
  }
  [[nodiscard]] Index key_step() const { return key_row_stride != 0 ? key_row_stride : depth; }
  [[nodiscard]] Index key_head_step() const {
    return key_head_stride != 0 ? key_head_stride : key_step() * keys.cells();
  }

 private:
  template <class Element>
  static constexpr ElementType type_of() {
    static_assert(std::is_same_v<Element, float> || std::is_same_v<Element, double> ||
                      std::is_same_v<Element, Eigen::half> ||
                      std::is_same_v<Element, Eigen::bfloat16>,
                  "a layer holds float, double, Eigen::half or Eigen::bfloat16");
    if (std::is_same_v<Element, Eigen::half>) return ElementType::f16;
    if (std::is_same_v<Element, Eigen::bfloat16>) return ElementType::bf16;
    return std::is_same_v<Element, double> ? ElementType::f64 : ElementType::f32;
  }
};

using Layers = std::vector<Layer>;

namespace detail {

/// Bytes of the layer's numbers that are read, and of the columns and row starts that place them.
[[nodiscard]] inline Index layer_bytes(const Layer& layer) {
  const Index number = element_bytes(layer.type);
  if (layer.kind == LayerKind::sparse) {
    const Index rows = layer.heads * layer.queries.cells();
    const Index column = layer.column_type == ColumnType::i64 ? 8 : 4;
    return (layer.row_starts[rows] - layer.row_starts[0]) * (number + column) + (rows + 1) * 8;
  }
  const Index numbers = layer.kind == LayerKind::queries_keys
                            ? layer.depth * (layer.queries.cells() + layer.keys.cells())
                            : layer.queries.cells() * layer.keys.cells();
  return layer.heads * numbers * number;
}

/// [heads * cells + 1] 0, count, 2 count, ...: the row starts of rows of one length.
inline std::shared_ptr<const std::vector<Index>> even_starts(Index count, Index heads,
                                                             GridSize grid) {
  require(count >= 1 && heads >= 1 && grid.height >= 1 && grid.width >= 1,
          "sparse_layer: entries, heads and sides must be >= 1, got ", count, " entries of ", heads,
          " heads on ", grid.height, " x ", grid.width);
  const auto product = [](Index a, Index b) { return checked_product(a, b, "sparse_layer"); };
  const Index rows = product(heads, product(grid.height, grid.width));
  (void)product(rows, product(count, 8));
  std::vector<Index> starts(static_cast<std::size_t>(rows) + 1);
  for (std::size_t row = 0; row < starts.size(); ++row) {
    starts[row] = static_cast<Index>(row) * count;
  }
  return std::make_shared<const std::vector<Index>>(std::move(starts));
}

}  // namespace detail

}  // namespace diffseg
