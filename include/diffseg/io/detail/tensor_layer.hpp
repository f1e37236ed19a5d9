// SPDX-License-Identifier: MIT
// From a tensor of a file to a layer of attention, without a copy.
#pragma once

#include <algorithm>
#include <cmath>

#include <diffseg/data/layer.hpp>
#include <diffseg/io/detail/tensor.hpp>

namespace diffseg {
namespace detail {

/// "64 x 96, 48 x 128, ...": the grids of `tokens` cells, the squarest first, at most eight.
inline std::string grids_of(Index tokens) {
  std::string text;
  int listed = 0;
  for (Index side = static_cast<Index>(std::sqrt(static_cast<double>(tokens))) + 1; side > 0;
       --side) {
    if (tokens % side != 0 || side > tokens / side) continue;
    text += message(listed == 0 ? "" : ", ", side, " x ", tokens / side);
    if (++listed == 8) return side == 1 ? text : text + ", ...";
  }
  return text;
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

/// The grid of `tokens` cells that the shape draws, or else that is given, or else the square;
/// `what` are queries or keys. A Refusal throws its own error and opens the message.
template <class Refusal>
GridSize token_grid(Index tokens, GridSize drawn, GridSize given, const Refusal& refusal,
                    const char* what) {
  const GridSize grid = drawn == GridSize{} ? given : drawn;
  if (grid == GridSize{}) {
    const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(tokens))));
    refusal.require(side * side == tokens, "shape: holds ", tokens, ' ', what,
                    ", no square; give their grid, one of ", grids_of(tokens),
                    " (text tokens are one row)");
    return {side, side};
  }
  const GridSize asked = given == GridSize{} ? grid : given;
  const bool fits = asked.height > 0 && tokens % asked.height == 0 &&
                    tokens / asked.height == asked.width && asked == grid;
  refusal.require(fits, "shape: holds ", tokens, ' ', what, ", not on a grid of ", asked.height,
                  " x ", asked.width, "; give ",
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
      "shape: attention is [heads, queries, keys], [heads, h, w, keys] or ",
      "[heads, h, w, h, w], got ", shape_text(shape), "; reshape it");
}

inline Index count_of(const std::vector<Index>& shape) {
  Index count = 1;
  for (const Index extent : shape) count = checked_product(count, extent, "layer_from");
  return count;
}

}  // namespace detail

/// The grids of a tensor's tokens; {} where the tensor itself says it.
struct LayerGrids {
  GridSize queries = {};  ///< {}: extents [h, w] of the shape, else the square of so many queries
  GridSize keys = {};     ///< {}: like `queries` when there are as many, else square; text {1, n}
};

namespace detail {

/// A layer of this shape and type that has no data yet.
template <class Refusal>
Layer layer_of_shape(const std::vector<Index>& shape, NumberType number, const LayerGrids& grids,
                     const Refusal& refusal) {
  const ElementType type = element_type(number, refusal);
  const std::size_t rank = shape.size();
  const GridSize query_grid = rank > 3 ? GridSize{shape[1], shape[2]} : GridSize{};
  const GridSize key_grid = rank == 5 ? GridSize{shape[3], shape[4]} : GridSize{};
  const Index queries = rank > 3 ? query_grid.cells() : shape[1];
  const Index keys = rank == 5 ? key_grid.cells() : shape.back();
  // [batch, heads, queries, keys] would pass for queries on a grid of heads x queries.
  refusal.require(rank != 4 || keys == queries || grids.keys != GridSize{},
                  "shape: ", shape_text(shape), " as [heads, h, w, keys] has ", queries,
                  " queries and ", keys, " keys; reshape [batch, heads, queries, keys] to ",
                  "three extents, or give the grid of the keys");
  Layer layer{nullptr, type, shape[0], {}, {}, nullptr};
  layer.queries = token_grid(queries, query_grid, grids.queries, refusal, "queries");
  const bool alike = rank < 5 && keys == queries && grids.keys == GridSize{};
  layer.keys = alike ? layer.queries : token_grid(keys, key_grid, grids.keys, refusal, "keys");
  return layer;
}

}  // namespace detail

/// `tensor` as one layer, sharing its numbers: [heads, queries, keys], [heads, h, w, keys] or
/// [heads, h, w, key h, key w] of f16, bf16, f32 or f64. A batch belongs into the heads.
/// Throws io_error when the shape is none of these, or a grid is neither given nor square.
[[nodiscard]] inline Layer layer_from(const Tensor& tensor, const LayerGrids& grids = {}) {
  const detail::FileRefusal refusal{tensor.name};
  detail::check_attention_shape(tensor.shape, refusal);
  const Index count = detail::count_of(tensor.shape);
  detail::require(count == tensor.count(), "layer_from: a tensor of ",
                  detail::shape_text(tensor.shape), " must hold ", count, " numbers, got ",
                  tensor.count());
  Layer layer = detail::layer_of_shape(tensor.shape, tensor.type, grids, refusal);
  layer.data = tensor.bytes.data();
  layer.owner = tensor.owner;
  layer.name = tensor.name;
  return layer;
}

}  // namespace diffseg
