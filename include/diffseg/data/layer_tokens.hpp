// SPDX-License-Identifier: MIT
// Layers over whole sequences, whose tokens are not all cells of the image.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "diffseg/core/parallel.hpp"
#include "diffseg/data/layer.hpp"

namespace diffseg {

/// The tokens of a sequence that are no cells: class, register, text; named twice, skipped once.
struct SkipTokens {
  /// The tokens begin .. end - 1, counted from 0 over the whole sequence.
  struct Range {
    Index begin = 0;  ///< the first, >= 0
    Index end = 0;    ///< behind the last, > begin
    /// The same tokens.
    friend bool operator==(const Range&, const Range&) = default;
  };

  Index first = 0;                 ///< so many in front, >= 0
  Index last = 0;                  ///< so many at the end, >= 0
  std::vector<Range> ranges = {};  ///< others, anywhere, in any order; none empty

  /// Nothing is skipped.
  [[nodiscard]] bool empty() const { return first == 0 && last == 0 && ranges.empty(); }

  /// What is wrong with this for a sequence of `tokens`, as "must ..., got ..."; "" if nothing is.
  [[nodiscard]] std::string complaint(Index tokens) const {
    if (first < 0 || last < 0 || first > tokens || last > tokens) {
      return detail::message("must skip 0 .. ", tokens, " tokens in front and at the end, got ",
                             first, " and ", last);
    }
    for (const Range& range : ranges) {
      if (range.begin >= 0 && range.begin < range.end && range.end <= tokens) continue;
      return detail::message("must have ranges [begin, end) within 0 .. ", tokens, ", got ",
                             range.begin, " .. ", range.end);
    }
    const bool some = !runs(tokens).empty();
    return some ? "" : detail::message("must leave some of the ", tokens, " tokens");
  }

  /// The tokens that are left of `tokens`, as ranges that ascend and do not touch. Requires that
  /// there is no complaint() but that none are left.
  [[nodiscard]] std::vector<Range> runs(Index tokens) const {
    std::vector<Range> holes = ranges;
    if (first > 0) holes.push_back({0, first});
    holes.push_back({tokens - last, tokens});
    std::sort(holes.begin(), holes.end(),
              [](const Range& a, const Range& b) { return a.begin < b.begin; });
    std::vector<Range> left;
    Index at = 0;
    for (const Range& hole : holes) {
      if (hole.begin > at) left.push_back({at, hole.begin});
      at = std::max(at, hole.end);
    }
    return left;
  }

  /// How many tokens are left. Requires the same.
  [[nodiscard]] Index left(Index tokens) const {
    Index count = 0;
    for (const Range& run : runs(tokens)) count += run.end - run.begin;
    return count;
  }
};

namespace detail {

/// The square of `tokens` cells; {} where there is none.
inline GridSize square_of(Index tokens) {
  const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(tokens))));
  const bool fits = tokens >= 1 && tokens % side == 0 && tokens / side == side;
  return fits ? GridSize{side, side} : GridSize{};
}

using TokenRuns = std::vector<SkipTokens::Range>;

/// The numbers of a layer, whatever they are.
using SharedBytes = std::shared_ptr<const std::byte[]>;

/// Rows of numbers as a layer has them, far apart.
struct StridedRows {
  const void* data;
  Index heads, row_step, head_step;
  Index bytes;  ///< of one number
};

/// [heads, rows, columns] dense, of the rows and columns in `rows` and `columns`.
inline SharedBytes gather(const StridedRows& from, const TokenRuns& rows,
                          const TokenRuns& columns) {
  std::vector<Index> places;
  for (const auto& run : rows) {
    for (Index row = run.begin; row < run.end; ++row) places.push_back(row);
  }
  Index width = 0;
  for (const auto& part : columns) width += part.end - part.begin;
  const auto count = static_cast<Index>(places.size());
  const auto size = static_cast<std::size_t>(from.heads * count * width * from.bytes);
  const std::shared_ptr<std::byte[]> bytes(new std::byte[size]);
  parallel_for(from.heads * count, [&](Index i) {
    const Index row = places[static_cast<std::size_t>(i % count)];
    const auto* const in = static_cast<const std::byte*>(from.data) +
                           (i / count * from.head_step + row * from.row_step) * from.bytes;
    std::byte* out = bytes.get() + i * width * from.bytes;
    for (const auto& part : columns) {
      const Index length = (part.end - part.begin) * from.bytes;
      std::memcpy(out, in + part.begin * from.bytes, static_cast<std::size_t>(length));
      out += length;
    }
  });
  return bytes;
}

/// A dense layer of the tokens in `runs`, copied.
inline Layer gather_tokens(const Layer& layer, const TokenRuns& runs, GridSize grid) {
  const bool products = layer.kind == LayerKind::queries_keys;
  const Index bytes = element_bytes(layer.type);
  const TokenRuns depth = {{0, layer.depth}};
  std::array<SharedBytes, 2> kept;
  kept[0] = gather({layer.data, layer.heads, layer.query_step(), layer.head_step(), bytes}, runs,
                   products ? depth : runs);
  if (products) {
    kept[1] = gather({layer.key_data, layer.heads, layer.key_step(), layer.key_head_step(), bytes},
                     runs, depth);
  }
  Layer part = layer;
  part.data = kept[0].get();
  part.key_data = kept[1].get();
  part.row_stride = part.head_stride = part.key_row_stride = part.key_head_stride = 0;
  part.queries = part.keys = grid;
  part.partial = layer.kind == LayerKind::probabilities;
  part.owner = std::make_shared<const std::array<SharedBytes, 2>>(std::move(kept));
  return part;
}

/// Sparse rows of some tokens, as they are built up.
template <class Element, class Column>
class SparseTokens {
 public:
  SparseTokens(const Layer& layer, const TokenRuns& runs, const LayerRules& rules)
      : layer_(layer),
        rules_(rules),
        places_(static_cast<std::size_t>(layer.keys.cells()), Column{-1}) {
    for (const auto& run : runs) {
      for (Index token = run.begin; token < run.end; ++token) {
        places_[static_cast<std::size_t>(token)] = static_cast<Column>(left_++);
      }
    }
    for (Index head = 0; head < layer.heads; ++head) {
      for (const auto& run : runs) {
        for (Index query = run.begin; query < run.end; ++query) add(head, query);
      }
    }
  }

  [[nodiscard]] Layer take(GridSize grid) && {
    Layer part = Layer::owning(std::move(values_), std::move(columns_), std::move(starts_),
                               layer_.heads, grid);
    part.head_weights = layer_.head_weights;
    part.spread_rest = layer_.spread_rest;
    part.partial = !layer_.spread_rest;
    part.name = layer_.name;
    return part;
  }

 private:
  /// What is stored of a row and left; where the rest is spread, of what is left all sums to 1.
  void add(Index head, Index query) {
    const Index row = head * layer_.queries.cells() + query;
    const Index begin = layer_.row_starts[row];
    const Index end = layer_.row_starts[row + 1];
    const auto* const columns = static_cast<const Column*>(layer_.columns);
    const std::size_t first = values_.size();
    double all = 0;
    double kept = 0;
    for (Index i = begin; i < end; ++i) {
      const Column key = columns[i];
      rules_.require(key >= 0 && static_cast<Index>(key) < layer_.keys.cells(),
                     "columns of a sparse layer must be keys in 0 .. ", layer_.keys.cells() - 1,
                     ", got ", key, ", head ", head, ", query ", query);
      const double value = number_at(layer_.type, layer_.data, i);
      all += value;
      const Column place = places_[static_cast<std::size_t>(key)];
      if (place < 0) continue;
      kept += value;
      values_.push_back(static_cast<Element>(value));
      columns_.push_back(place);
    }
    starts_.push_back(static_cast<Index>(values_.size()));
    if (!layer_.spread_rest) return;
    const Index missing = std::max<Index>(1, layer_.keys.cells() - (end - begin));
    const auto absent = left_ - static_cast<Index>(values_.size() - first);
    const double share = std::max(0.0, 1 - all) / static_cast<double>(missing);
    const double total = kept + share * static_cast<double>(absent);
    rules_.require(total > 0 && is_finite(total), "the tokens that are left must have attention, ",
                   "got ", total, " in all, head ", head, ", query ", query);
    for (std::size_t i = first; i < values_.size(); ++i) {
      values_[i] = static_cast<Element>(static_cast<double>(values_[i]) / total);
    }
  }

  const Layer& layer_;
  const LayerRules& rules_;
  Index left_ = 0;
  std::vector<Column> places_;  // [keys] where each goes; -1: it is skipped
  std::vector<Element> values_;
  std::vector<Column> columns_;
  std::vector<Index> starts_ = {0};
};

/// A sparse layer of the tokens in `runs`, copied.
inline Layer gather_sparse(const Layer& layer, const TokenRuns& runs, GridSize grid,
                           const LayerRules& rules) {
  const auto build = [&](auto element, auto column) {
    return SparseTokens<decltype(element), decltype(column)>(layer, runs, rules).take(grid);
  };
  const bool wide = layer.column_type == Layer::Columns::i64;
  if (layer.type == ElementType::f64) {
    return wide ? build(double{}, std::int64_t{}) : build(double{}, std::int32_t{});
  }
  return wide ? build(float{}, std::int64_t{}) : build(float{}, std::int32_t{});
}

}  // namespace detail

/// Of a layer over all `tokens` tokens of a sequence, whose grids say {1, tokens}: the grid.cells()
/// tokens from `first` on, as queries and as keys, a view of the same numbers. Leading class and
/// register tokens, leading or trailing text are left out; what remains of each head's row is
/// scaled to sum 1, which is what the soft-max over the remaining keys makes of scores and of
/// queries with keys: exp(s_i) / sum of the others, whatever was left out. Not of a sparse layer.
[[nodiscard]] inline Layer select_tokens(const Layer& layer, Index first, GridSize grid) {
  detail::require(layer.kind != LayerKind::sparse,
                  "select_tokens: the layer must be dense; select before top_k or keep_mass");
  const Index tokens = layer.queries.cells();
  detail::require(layer.keys.cells() == tokens,
                  "select_tokens: the layer must have as many keys as queries, got ",
                  layer.keys.cells(), " and ", tokens);
  detail::require(
      grid.height >= 1 && grid.width >= 1 && first >= 0 &&
          detail::checked_product(grid.height, grid.width, "select_tokens") <= tokens - first,
      "select_tokens: the grid must fit the tokens 0 .. ", tokens - 1, ", got ", grid.height, " x ",
      grid.width, " from ", first);
  Layer part = layer;
  const bool products = layer.kind == LayerKind::queries_keys;
  const Index column = products ? 0 : first;
  part.data = detail::advanced(layer.data, first * layer.query_step() + column, layer.type);
  part.key_data = detail::advanced(layer.key_data, first * layer.key_step(), layer.type);
  part.row_stride = layer.query_step();
  part.head_stride = layer.head_step();
  part.key_row_stride = products ? layer.key_step() : 0;
  part.key_head_stride = products ? layer.key_head_step() : 0;
  part.queries = part.keys = grid;
  part.partial = layer.kind == LayerKind::probabilities;
  return part;
}

/// The same for all tokens but those in `skip`, which must be as many as `grid` has cells ({}: a
/// square). Where they follow one another, as behind class tokens and before text, the result of a
/// dense layer is a view; else it owns a copy of the numbers that are left (of a sparse layer as
/// float or double). Rows as in select_tokens; those of a sparse layer with spread_rest keep what
/// lay evenly on the keys that are left.
/// Errors: std::invalid_argument for keys that are not the queries' tokens, tokens that are not
/// there or all skipped, and a grid that does not hold those that are left.
[[nodiscard]] inline Layer skip_tokens(const Layer& layer, const SkipTokens& skip,
                                       GridSize grid = {}) {
  layer.check("skip_tokens");
  const detail::LayerRules rules{"skip_tokens", {layer.name, -1}};
  const Index tokens = layer.queries.cells();
  rules.require(layer.keys.cells() == tokens, "the layer must have as many keys as queries, got ",
                layer.keys.cells(), " and ", tokens);
  const std::string wrong = skip.complaint(tokens);
  rules.require(wrong.empty(), "skip ", wrong);
  const Index left = skip.left(tokens);
  if (grid == GridSize{}) grid = detail::square_of(left);
  rules.require(grid.height >= 1 && grid.width >= 1 && left % grid.height == 0 &&
                    left / grid.height == grid.width,
                "the grid must hold the ", left, " tokens that are left, got ", grid.height, " x ",
                grid.width, " ({}: a square)");
  const detail::TokenRuns runs = skip.runs(tokens);
  if (left == tokens) {
    Layer same = layer;
    same.queries = same.keys = grid;
    return same;
  }
  if (layer.kind == LayerKind::sparse) return detail::gather_sparse(layer, runs, grid, rules);
  if (runs.size() == 1) return select_tokens(layer, runs.front().begin, grid);
  return detail::gather_tokens(layer, runs, grid);
}

}  // namespace diffseg
