// SPDX-License-Identifier: MIT
// The nouns: what flows between the stages.
#pragma once

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "diffseg/core/detail/large_pages.hpp"

namespace diffseg {

using Index = Eigen::Index;

/// A dense row-major matrix; one map per row.
template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Rows and columns of a grid of cells, tokens or pixels; cell (y, x) has index y * width + x.
struct GridSize {
  Index height = 0;  ///< rows, >= 1 in valid data
  Index width = 0;   ///< columns, >= 1 in valid data

  [[nodiscard]] constexpr Index cells() const { return height * width; }
  friend constexpr bool operator==(const GridSize&, const GridSize&) = default;
};

/// A photo: values [height, width, channels], row-major, sRGB-encoded, 0..1.
template <class Scalar = float>
struct Image {
  GridSize size;               ///< pixels
  Index channels = 0;          ///< 1 (grey) or 3 (red, green, blue)
  std::vector<Scalar> values;  ///< size.cells() * channels numbers
};

/// How the numbers of a Layer are stored.
enum class ElementType { f16, bf16, f32, f64 };

/// Bytes of one number.
[[nodiscard]] constexpr Index element_bytes(ElementType type) {
  return type == ElementType::f64 ? 8 : type == ElementType::f32 ? 4 : 2;
}

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

/// Sparse divergences of M anchors against all T maps: the pairs below a ceiling, nothing else.
template <class Scalar = float>
struct Similarities {
  Maps<Scalar> maps;           ///< what was compared
  std::vector<Index> anchors;  ///< [M] token index of each anchor, row-major over the anchor grid
  double ceiling = 0;          ///< nats; every pair with a divergence below it is stored
  Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int> divergences;  ///< [M x T], nats
  Index evaluated = 0;  ///< pairs that needed a full divergence; the others a bound rejected
};

/// K maps, each the mean of maps that belong together.
template <class Scalar = float>
struct Proposals {
  Maps<Scalar> maps;                        ///< what was merged
  Matrix<Scalar> rows;                      ///< [K x T], positive, every row sums to 1
  std::vector<std::vector<Index>> anchors;  ///< [K] ascending indices into Similarities::anchors
  std::vector<Index> row_counts;            ///< [K] maps averaged, counted as often as they entered
  std::vector<Index> per_iteration;         ///< number of proposals after each iteration
};

/// Cross-attention by pixel: how much of it each of some text tokens gets.
template <class Scalar = float>
struct CrossMaps {
  GridSize size;              ///< pixels
  std::vector<Index> tokens;  ///< [C] token column behind each row of `values`, ascending
  Matrix<Scalar> values;      ///< [C x size.cells()], >= 0
};

/// One label per pixel.
struct Labels {
  GridSize size;                        ///< pixels
  std::vector<std::int32_t> values;     ///< [height, width], row-major; indices into `proposals`
  std::vector<std::int32_t> proposals;  ///< [label] index of the proposal behind each label

  [[nodiscard]] Index count() const { return static_cast<Index>(proposals.size()); }
};

}  // namespace diffseg
