// SPDX-License-Identifier: MIT
// One tensor of attention, whatever it is made of.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "diffseg/core/bits.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg {

namespace detail {

/// The rules of one layer, each refused as "STAGE: layer 2 'NAME': rule, got value".
struct LayerRules {
  const char* stage;
  LayerPlace place;

  template <class... Parts>
  void require(bool condition, const Parts&... parts) const {
    const bool alone = place.index < 0 && place.name.empty();
    if (!condition && alone) refuse({stage, ": ", Part(parts)...});
    if (!condition) refuse({stage, ": ", place, ": ", Part(parts)...});
  }

  void check_grid(GridSize grid, const char* what) const {
    require(grid.height >= 1 && grid.width >= 1 && product_fits({grid.height, grid.width}), what,
            " must be at least 1 x 1, its cells countable, got ", grid.height, " x ", grid.width);
  }

  /// [heads, rows, width] numbers, so far apart; 0: dense. All of them can be addressed.
  void check_strides(Index heads, Index rows, Index width, Index row_stride,
                     Index head_stride) const {
    require(product_fits({heads, rows, width, Index{8}}),
            "sizes must multiply without overflow, got ", heads, " heads of ", rows, " x ", width);
    require(row_stride == 0 || row_stride >= width, "a row stride must be 0 or at least ", width,
            ", got ", row_stride);
    require(head_stride >= 0, "a head stride must be >= 0, got ", head_stride);
    const Index row = row_stride != 0 ? row_stride : width;
    require(
        product_fits({heads, rows, row, Index{8}}) && product_fits({heads, head_stride, Index{8}}),
        "strides must not lead beyond what can be addressed, got ", row_stride, " for rows and ",
        head_stride, " for heads");
  }

  void check_head_weights(const std::vector<double>& weights, Index heads) const {
    if (weights.empty()) return;
    require(static_cast<Index>(weights.size()) == heads, "head_weights must be one per head, got ",
            weights.size(), " for ", heads, " heads");
    double total = 0;
    for (const double weight : weights) {
      require(is_finite(weight) && weight >= 0, "head_weights must be finite and >= 0, got ",
              weight);
      total += weight;
    }
    require(total > 0 && is_finite(total), "head_weights must have a positive sum, got ", total);
  }

  /// Rows follow one another and hold at most as many numbers as there are keys.
  void check_row_starts(const Index* starts, Index heads, Index queries, Index keys) const {
    const Index rows = heads * queries;
    const auto rises = [&](Index row) {  // unsigned: any two numbers have a difference
      return starts[row] <= starts[row + 1] &&
             static_cast<std::size_t>(starts[row + 1]) - static_cast<std::size_t>(starts[row]) <=
                 static_cast<std::size_t>(keys);
    };
    require(starts[0] >= 0 && product_fits({starts[0], Index{64}}), "row_starts must be >= 0, got ",
            starts[0], " at head 0, query 0");
    bool sound = true;  // no early exit, so that it runs in packets
    for (Index row = 0; row < rows; ++row) sound &= rises(row);
    for (Index row = 0; !sound && row < rows; ++row) {
      require(rises(row), "row_starts must rise by 0 .. ", keys, " numbers a row, got ",
              starts[row], " and ", starts[row + 1], " at head ", row / queries, ", query ",
              row % queries);
    }
  }
};

}  // namespace detail

/// What the numbers of a Layer mean.
enum class LayerKind {
  probabilities,  ///< attention: every row is a distribution over keys
  scores,         ///< what the soft-max over keys makes probabilities of; -infinity: masked out
  queries_keys,   ///< queries in `data`, keys in `key_data`: the scores are scale * query . key
  sparse          ///< probabilities, of which some are stored and the others are 0
};

/// One self-attention tensor [heads, queries, keys], row-major: every row is a distribution over
/// keys, or what makes one, or some of its numbers (`kind`). A view: the numbers must stay alive
/// unless `owner` keeps them; they may begin at any byte. Those of one row are neighbours, rows and
/// heads as far apart as the strides say. Stages, and what makes a layer, refuse what check() does.
struct Layer {
  /// How the columns of a sparse layer are stored.
  enum class Columns { i32, i64 };

  const void* data = nullptr;  ///< [heads, queries, keys], or queries [heads, queries, depth]
  ElementType type = ElementType::f32;        ///< of `data` and `key_data`
  Index heads = 0;                            ///< >= 1
  GridSize queries;                           ///< grid of the query tokens
  GridSize keys;                              ///< grid of the key tokens
  std::shared_ptr<const void> owner;          ///< keeps the numbers alive when set
  LayerKind kind = LayerKind::probabilities;  ///< what the numbers are
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
  Columns column_type = Columns::i32;  ///< how `columns` are stored
  /// sparse: what a row lacks of sum 1 lies evenly on the keys it does not store; else those are 0,
  /// and a head that stores less counts less in the mean (all alike with `partial`).
  bool spread_rest = false;
  std::string name = {};  ///< what messages call it, as a module or a file is called; may be empty

  /// View of [heads, queries.cells(), keys.cells()] numbers; `keys` {}: the grid of the queries.
  /// Element is float, double, Eigen::half or Eigen::bfloat16.
  template <class Element>
  static Layer view(const Element* data, Index heads, GridSize queries, GridSize keys = {}) {
    Layer layer = unchecked(data, heads, queries, keys);
    layer.check("Layer");
    return layer;
  }
  /// The same, keeping the numbers.
  template <class Element>
  static Layer owning(std::vector<Element> values, Index heads, GridSize queries,
                      GridSize keys = {}) {
    const GridSize other = keys == GridSize{} ? queries : keys;
    detail::require_count("Layer: values", values.size(),
                          {heads, queries.height, queries.width, other.height, other.width});
    auto kept = std::make_shared<const std::vector<Element>>(std::move(values));
    Layer layer = view(kept->data(), heads, queries, keys);
    layer.owner = std::move(kept);
    return layer;
  }
  /// View of queries and keys [heads, grid.cells(), depth], whose attention is never stored.
  template <class Element>
  static Layer queries_and_keys(const Element* queries, const Element* keys, Index heads,
                                Index depth, GridSize grid) {
    Layer layer = unchecked(queries, heads, grid);
    layer.kind = LayerKind::queries_keys;
    layer.key_data = keys;
    layer.depth = depth;
    layer.check("Layer");
    return layer;
  }
  /// View of compressed sparse rows [heads * grid.cells() x keys]: row head * grid.cells() + query
  /// has values[i] at key columns[i], row_starts[row] <= i < row_starts[row + 1], and zeros
  /// elsewhere. Column is std::int32_t or std::int64_t. attention/sparse_layer.hpp makes them.
  template <class Element, class Column>
  static Layer compressed_rows(const Element* values, const Column* columns,
                               const Index* row_starts, Index heads, GridSize grid,
                               GridSize keys = {}) {
    static_assert(std::is_same_v<Column, std::int32_t> || std::is_same_v<Column, std::int64_t>,
                  "columns are std::int32_t or std::int64_t");
    Layer layer = unchecked(values, heads, grid, keys);
    layer.kind = LayerKind::sparse;
    layer.row_starts = row_starts;
    layer.columns = columns;
    layer.column_type = sizeof(Column) == 8 ? Columns::i64 : Columns::i32;
    layer.check("Layer");
    return layer;
  }
  /// The same, keeping all three.
  template <class Element, class Column>
  static Layer owning(std::vector<Element> values, std::vector<Column> columns,
                      std::vector<Index> row_starts, Index heads, GridSize grid,
                      GridSize keys = {}) {
    detail::require_count("Layer: columns", columns.size(), {static_cast<Index>(values.size())});
    detail::require(!row_starts.empty(), "Layer: row_starts must not be empty");
    detail::require_count("Layer: row_starts less one", row_starts.size() - 1,
                          {heads, grid.height, grid.width});
    detail::require_count("Layer: values", values.size(), {row_starts.back()});
    values.reserve(1);  // rows without any number are no null
    columns.reserve(1);
    using Rows = std::tuple<decltype(values), decltype(columns), decltype(row_starts)>;
    auto kept =
        std::make_shared<const Rows>(std::move(values), std::move(columns), std::move(row_starts));
    Layer layer = compressed_rows(std::get<0>(*kept).data(), std::get<1>(*kept).data(),
                                  std::get<2>(*kept).data(), heads, grid, keys);
    layer.owner = std::move(kept);
    return layer;
  }
  /// A view of [heads, queries, tokens] numbers, cross-attention: the keys are text, {1, tokens}.
  [[nodiscard]] Layer over_tokens(Index tokens) const {
    Layer layer = *this;
    layer.keys = {1, tokens};
    layer.check("Layer");
    return layer;
  }

  /// Refuses a layer without data, heads or cells, too large to address, or with fields that
  /// contradict each other, as "STAGE: layer INDEX 'NAME': ..."; looks at no attention.
  void check(const char* stage, Index index = -1) const {
    const detail::LayerRules rules{stage, {name, index}};
    const bool products = kind == LayerKind::queries_keys;
    rules.require(data != nullptr && (!products || key_data != nullptr), "data must not be null");
    rules.require(heads >= 1, "heads must be >= 1, got ", heads);
    rules.require(!products || depth >= 1, "depth must be >= 1, got ", depth);
    rules.require(detail::is_finite(scale) && scale >= 0, "scale must be finite and >= 0, got ",
                  scale);
    rules.check_grid(queries, "the grid of the queries");
    rules.check_grid(keys, "the grid of the keys");
    const Index width = products ? depth : keys.cells();
    rules.check_strides(heads, queries.cells(), keys.cells(), 0, 0);
    rules.check_strides(heads, queries.cells(), width, row_stride, head_stride);
    if (products) rules.check_strides(heads, keys.cells(), depth, key_row_stride, key_head_stride);
    rules.check_head_weights(head_weights, heads);
    rules.require(!spread_rest || (kind == LayerKind::sparse && !partial),
                  "spread_rest is for sparse layers whose rows are no parts, got it with another ",
                  "kind or partial");
    if (kind != LayerKind::sparse) return;
    rules.require(row_starts != nullptr && columns != nullptr,
                  "row_starts and columns of a sparse layer must not be null");
    rules.require(head_stride == 0 && row_stride == 0, "a sparse layer has no strides, got ",
                  head_stride, " and ", row_stride);
    rules.check_row_starts(row_starts, heads, queries.cells(), keys.cells());
  }

  /// Numbers between queries, whether given or dense.
  [[nodiscard]] Index query_step() const {
    if (row_stride != 0) return row_stride;
    return kind == LayerKind::queries_keys ? depth : keys.cells();
  }
  /// The same between heads.
  [[nodiscard]] Index head_step() const {
    return head_stride != 0 ? head_stride : query_step() * queries.cells();
  }
  /// The same between keys of queries_keys.
  [[nodiscard]] Index key_step() const { return key_row_stride != 0 ? key_row_stride : depth; }
  /// The same between heads of keys.
  [[nodiscard]] Index key_head_step() const {
    return key_head_stride != 0 ? key_head_stride : key_step() * keys.cells();
  }

  /// Bytes of the numbers that are read, and of the columns and row starts that place them.
  [[nodiscard]] Index bytes() const {
    const Index number = detail::element_bytes(type);
    const Index rows = heads * queries.cells();
    if (kind == LayerKind::queries_keys) return (rows + heads * keys.cells()) * depth * number;
    if (kind != LayerKind::sparse) return rows * keys.cells() * number;
    const Index column = column_type == Columns::i64 ? 8 : 4;
    return (row_starts[rows] - row_starts[0]) * (number + column) + (rows + 1) * 8;
  }

 private:
  template <class Element>
  static Layer unchecked(const Element* data, Index heads, GridSize queries, GridSize keys = {}) {
    if (keys == GridSize{}) keys = queries;
    return {data, detail::element_type_of<Element>(), heads, queries, keys, nullptr};
  }
};

using Layers = std::vector<Layer>;  ///< of one image

namespace detail {

/// [heads * cells + 1] 0, count, 2 count, ...: the row starts of rows of one length.
inline std::shared_ptr<const std::vector<Index>> even_starts(Index count, Index heads,
                                                             GridSize grid) {
  require(count >= 1 && heads >= 1 && grid.height >= 1 && grid.width >= 1 &&
              product_fits({heads, grid.height, grid.width, count, Index{16}}),
          "sparse_layer: entries, heads and sides must be >= 1 and fit into memory, got ", count,
          " entries of ", heads, " heads on ", grid.height, " x ", grid.width);
  std::vector<Index> starts(static_cast<std::size_t>(heads * grid.cells()) + 1, 0);
  for (std::size_t row = 1; row < starts.size(); ++row) starts[row] = starts[row - 1] + count;
  return std::make_shared<const std::vector<Index>>(std::move(starts));
}

/// A layer among those of a call, as messages name it.
struct LayerSource {
  const Layer* layer;
  Index index;
  const char* stage;

  /// Throws "STAGE: parts... at layer 2 'NAME'rest...".
  template <class... Rest>
  [[noreturn]] void refuse_at(std::initializer_list<Part> parts, const Rest&... rest) const {
    refuse({stage, ": ", joined(parts), " at ", LayerPlace{layer->name, index}, Part(rest)...});
  }
};

}  // namespace detail

}  // namespace diffseg
