// SPDX-License-Identifier: MIT
// From a tensor of a file to a layer of attention, without a copy.
#pragma once

#include <algorithm>
#include <cmath>

#include <diffseg/data/layer_tokens.hpp>
#include <diffseg/io/detail/tensor.hpp>

namespace diffseg {
namespace detail {

/// "64 x 96, 48 x 128, ...": the grids of `tokens` cells, the squarest first, at most eight.
inline std::string grids_of(Index tokens) {
  constexpr Index most = 1'000'000;  // sides that are tried: nobody waits for a message
  std::string text;
  int listed = 0;
  const auto first = static_cast<Index>(std::sqrt(static_cast<double>(tokens))) + 1;
  for (Index side = first; side > std::max<Index>(0, first - most); --side) {
    if (tokens % side != 0 || side > tokens / side) continue;
    text += message(listed == 0 ? "" : ", ", side, " x ", tokens / side);
    if (++listed == 8) return side == 1 ? text : text + ", ...";
  }
  return listed == 0 ? message("1 x ", tokens) : text;
}

/// The cells of a grid that somebody gave; -1 where its sides are no grid's.
inline Index given_cells(GridSize grid) {
  const bool good = grid.height >= 1 && grid.width >= 1 && product_fits({grid.height, grid.width});
  return good ? grid.cells() : -1;
}

/// Refuses what stands in the file `name`: io_error.
struct FileRefusal {
  static constexpr const char* to_float = "save it as float32";
  const std::string& name;

  template <class... Parts>
  void require(bool condition, const Parts&... parts) const {
    require_io(condition, name, parts...);
  }
};

/// The first of 1, 4 and 5 tokens (class, registers, both) without which `tokens` are the cells of
/// `grid`, or when that is {} of a square of at least 4 x 4; 0: none of them.
inline Index leading_tokens(Index tokens, GridSize grid = {}) {
  for (const Index count : {Index{1}, Index{4}, Index{5}}) {
    const GridSize fitting = grid == GridSize{} ? square_of(tokens - count) : grid;
    const bool large = grid != GridSize{} || fitting.height >= 4;
    if (large && tokens > count && tokens - count == given_cells(fitting)) return count;
  }
  return 0;
}

/// ", but 36 x 36 after skipping 1 in front (...)" where class and register tokens in front, or as
/// many as a given grid does not hold, keep `tokens` from being the cells of a grid; else "".
inline std::string skip_hint(Index tokens, GridSize given) {
  const Index leading = leading_tokens(tokens, given);
  if (leading != 0) {
    const GridSize grid = given == GridSize{} ? square_of(tokens - leading) : given;
    const char* const what = leading == 1   ? "a class token"
                             : leading == 4 ? "register tokens"
                                            : "a class token and registers";
    return message(", but ", grid.height, " x ", grid.width, " after skipping ", leading,
                   " in front (", what, ')');
  }
  const Index cells = given_cells(given);
  if (cells < 1 || cells >= tokens) return "";
  return message(", unless ", tokens - cells, " of them are no cells (text) and are ", "skipped");
}

/// The grid of `tokens` cells that the shape draws, or else that is given, or else the square;
/// `what` are queries or keys. A Refusal throws its own error and opens the message.
template <class Refusal>
GridSize token_grid(Index tokens, GridSize drawn, GridSize given, const Refusal& refusal,
                    const char* what) {
  const GridSize grid = drawn == GridSize{} ? given : drawn;
  if (grid == GridSize{}) {
    const GridSize square = square_of(tokens);
    refusal.require(square != GridSize{}, "shape: holds ", tokens, ' ', what, ", no square",
                    skip_hint(tokens, {}), "; give their grid, one of ", grids_of(tokens),
                    " (text tokens are one row)");
    return square;
  }
  const GridSize asked = given == GridSize{} ? grid : given;
  const bool fits = asked.height > 0 && tokens % asked.height == 0 &&
                    tokens / asked.height == asked.width && asked == grid;
  refusal.require(fits, "shape: holds ", tokens, ' ', what, ", not on a grid of ", asked.height,
                  " x ", asked.width, drawn == GridSize{} ? skip_hint(tokens, asked) : "",
                  "; give ",
                  drawn == GridSize{} ? "one of " + grids_of(tokens)
                                      : message("none or ", drawn.height, " x ", drawn.width));
  return grid;
}

template <class Refusal>
ElementType element_type(NumberType type, const Refusal& refusal) {
  refusal.require(type == NumberType::f16 || type == NumberType::bf16 || type == NumberType::f32 ||
                      type == NumberType::f64,
                  "type: attention must be floating point numbers; ", Refusal::to_float);
  switch (type) {
    case NumberType::f16:
      return ElementType::f16;
    case NumberType::bf16:
      return ElementType::bf16;
    case NumberType::f64:
      return ElementType::f64;
    default:
      return ElementType::f32;
  }
}

inline std::string shape_text(const std::vector<Index>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += message(i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

/// Refuses what is no [heads, queries, keys], whole or with tokens drawn as grids.
template <class Refusal>
void check_attention_shape(const std::vector<Index>& shape, const Refusal& refusal) {
  const auto full = [](Index extent) { return extent > 0; };
  refusal.require(
      shape.size() >= 3 && shape.size() <= 5 && std::all_of(shape.begin(), shape.end(), full),
      "shape: attention is [heads, queries, keys], [n, n], [1, heads, n, n], ",
      "[heads, h, w, keys] or [heads, h, w, h, w], got ", shape_text(shape), "; reshape it");
}

inline Index count_of(const std::vector<Index>& shape, const char* stage = "layer_from") {
  Index count = 1;
  for (const Index extent : shape) count = checked_product(count, extent, stage);
  return count;
}

}  // namespace detail

/// The grids of a tensor's tokens; {} where the tensor itself says it.
struct LayerGrids {
  GridSize queries = {};  ///< {}: extents [h, w] of the shape, else the square of so many queries
  GridSize keys = {};     ///< {}: like `queries` when there are as many, else square; text {1, n}
  /// Tokens of self-attention, queries and keys alike, that are no cells: class and register
  /// tokens, text. The grids are those of the tokens that are left.
  SkipTokens skip = {};
};

namespace detail {

/// [1, heads, n, n], a batch of one, unless the grids say that its tokens are drawn as a grid of
/// heads x n.
inline bool is_batch_of_one(const std::vector<Index>& shape, const LayerGrids& grids) {
  if (shape.size() != 4 || shape[0] != 1 || shape[2] != shape[3]) return false;
  return grids.keys == GridSize{} ||
         (grids.queries != GridSize{} && grids.queries != GridSize{shape[1], shape[2]});
}

/// The same as [heads, queries, keys] where it is a batch of one or a head mean [n, n].
inline std::vector<Index> attention_shape(std::vector<Index> shape, const LayerGrids& grids) {
  if (is_batch_of_one(shape, grids)) shape.erase(shape.begin());
  if (shape.size() == 2 && shape[0] == shape[1]) shape.insert(shape.begin(), 1);
  return shape;
}

/// The grids of a sequence of which some tokens are still to be skipped, all in one row.
template <class Refusal>
LayerGrids sequence_grids(const std::vector<Index>& shape, const LayerGrids& grids,
                          const Refusal& refusal) {
  if (grids.skip.empty()) return grids;
  refusal.require(shape.size() == 3 && shape[1] == shape[2],
                  "skip: tokens can be skipped of [heads, n, n], [1, heads, n, n] and [n, n], got ",
                  shape_text(shape), "; reshape it");
  refusal.require(grids.keys == GridSize{} || grids.keys == grids.queries,
                  "skip: keys must be on the grid of the queries, got another; leave theirs out");
  const GridSize row{1, shape[1]};
  return {row, row};
}

/// `layer` without the tokens that `grids` skips, on the grid that it gives or a square.
template <class Refusal>
Layer without_skipped(Layer layer, const LayerGrids& grids, const Refusal& refusal) {
  if (grids.skip.empty()) return layer;
  const Index tokens = layer.queries.cells();
  const std::string wrong = grids.skip.complaint(tokens);
  refusal.require(wrong.empty(), "skip: ", wrong, "; skip fewer");
  const GridSize grid = token_grid(grids.skip.left(tokens), {}, grids.queries, refusal,
                                   "queries that are not skipped");
  return skip_tokens(layer, grids.skip, grid);
}

/// A layer of this shape and type that has no data yet.
template <class Refusal>
Layer layer_of_shape(const std::vector<Index>& shape, NumberType number, const LayerGrids& grids,
                     const Refusal& refusal) {
  const ElementType type = element_type(number, refusal);
  static_cast<void>(count_of(shape, "view"));  // a broadcast axis may be longer than any memory
  const std::size_t rank = shape.size();
  const GridSize query_grid = rank > 3 ? GridSize{shape[1], shape[2]} : GridSize{};
  const GridSize key_grid = rank == 5 ? GridSize{shape[3], shape[4]} : GridSize{};
  const Index queries = rank > 3 ? query_grid.cells() : shape[1];
  const Index keys = rank == 5 ? key_grid.cells() : shape.back();
  // [batch, heads, queries, keys] would pass for queries on a grid of heads x queries.
  refusal.require(rank != 4 || keys == queries || grids.keys != GridSize{},
                  "shape: ", shape_text(shape), " as [heads, h, w, keys] has ", queries,
                  " queries and ", keys, " keys; reshape [batch, heads, queries, keys] to ",
                  "three extents (a batch of one needs not), or give the grid of the keys");
  Layer layer{nullptr, type, shape[0], {}, {}, nullptr};
  layer.queries = token_grid(queries, query_grid, grids.queries, refusal, "queries");
  const bool alike = rank < 5 && keys == queries && grids.keys == GridSize{};
  layer.keys = alike ? layer.queries : token_grid(keys, key_grid, grids.keys, refusal, "keys");
  return layer;
}

}  // namespace detail

/// `tensor` as one layer, sharing its numbers: [heads, queries, keys], [heads, h, w, keys] or
/// [heads, h, w, key h, key w] of f16, bf16, f32 or f64, a head mean [n, n] or a batch of one
/// [1, heads, n, n]; any other batch belongs into the heads. Tokens are skipped as skip_tokens
/// does. Throws io_error when the shape is none of these, or a grid is neither given nor square.
[[nodiscard]] inline Layer layer_from(const Tensor& tensor, const LayerGrids& grids = {}) {
  const detail::FileRefusal refusal{tensor.name};
  const std::vector<Index> shape = detail::attention_shape(tensor.shape, grids);
  detail::check_attention_shape(shape, refusal);
  const Index count = detail::count_of(shape);
  detail::require(count == tensor.count(), "layer_from: a tensor of ",
                  detail::shape_text(tensor.shape), " must hold ", count, " numbers, got ",
                  tensor.count());
  Layer layer = detail::layer_of_shape(shape, tensor.type,
                                       detail::sequence_grids(shape, grids, refusal), refusal);
  layer.data = tensor.bytes.data();
  layer.owner = tensor.owner;
  layer.name = tensor.name;
  return detail::without_skipped(std::move(layer), grids, refusal);
}

}  // namespace diffseg
