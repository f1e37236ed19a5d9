// SPDX-License-Identifier: MIT
// From a tensor of a file to a layer of attention, without a copy.
#pragma once

#include <algorithm>
#include <cmath>

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

/// The grid of `tokens` cells that the shape draws, or else that is given, or else the square;
/// `what` are queries or keys.
inline GridSize token_grid(Index tokens, GridSize drawn, GridSize given, const std::string& name,
                           const char* what) {
  const GridSize grid = drawn == GridSize{} ? given : drawn;
  if (grid == GridSize{}) {
    const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(tokens))));
    require_io(side * side == tokens, name, "shape: holds ", tokens, ' ', what,
               ", no square; give their grid, one of ", grids_of(tokens),
               " (text tokens are one row)");
    return {side, side};
  }
  const GridSize asked = given == GridSize{} ? grid : given;
  const bool fits = asked.height > 0 && tokens % asked.height == 0 &&
                    tokens / asked.height == asked.width && asked == grid;
  require_io(fits, name, "shape: holds ", tokens, ' ', what, ", not on a grid of ", asked.height,
             " x ", asked.width, "; give ",
             drawn == GridSize{} ? "one of " + grids_of(tokens)
                                 : message("none or ", drawn.height, " x ", drawn.width));
  return grid;
}

inline ElementType element_type(const Tensor& tensor) {
  require_io(tensor.type == NumberType::f16 || tensor.type == NumberType::bf16 ||
                 tensor.type == NumberType::f32 || tensor.type == NumberType::f64,
             tensor.name, "type: attention must be floating point numbers; save it as float32");
  switch (tensor.type) {
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
inline void check_attention_shape(const Tensor& tensor) {
  const auto& shape = tensor.shape;
  const auto full = [](Index extent) { return extent > 0; };
  require_io(
      shape.size() >= 3 && shape.size() <= 5 && std::all_of(shape.begin(), shape.end(), full),
      tensor.name, "shape: attention is [heads, queries, keys], [heads, h, w, keys] or ",
      "[heads, h, w, h, w], got ", shape_text(shape), "; reshape it");
  Index count = 1;
  for (const Index extent : shape) count = checked_product(count, extent, "layer_from");
  require(count == tensor.count(), "layer_from: a tensor of ", shape_text(shape), " must hold ",
          count, " numbers, got ", tensor.count());
}

}  // namespace detail

/// The grids of a tensor's tokens; {} where the tensor itself says it.
struct LayerGrids {
  GridSize queries = {};  ///< {}: extents [h, w] of the shape, else the square of so many queries
  GridSize keys = {};     ///< {}: like `queries` when there are as many, else square; text {1, n}
};

/// `tensor` as one layer, sharing its numbers: [heads, queries, keys], [heads, h, w, keys] or
/// [heads, h, w, key h, key w] of f16, bf16, f32 or f64. A batch belongs into the heads.
/// Throws io_error when the shape is none of these, or a grid is neither given nor square.
[[nodiscard]] inline Layer layer_from(const Tensor& tensor, const LayerGrids& grids = {}) {
  detail::check_attention_shape(tensor);
  const ElementType type = detail::element_type(tensor);
  const auto& shape = tensor.shape;
  const std::size_t rank = shape.size();
  const GridSize query_grid = rank > 3 ? GridSize{shape[1], shape[2]} : GridSize{};
  const GridSize key_grid = rank == 5 ? GridSize{shape[3], shape[4]} : GridSize{};
  const Index queries = rank > 3 ? query_grid.cells() : shape[1];
  const Index keys = rank == 5 ? key_grid.cells() : shape.back();
  // [batch, heads, queries, keys] would pass for queries on a grid of heads x queries.
  detail::require_io(rank != 4 || keys == queries || grids.keys != GridSize{}, tensor.name,
                     "shape: ", detail::shape_text(shape), " as [heads, h, w, keys] has ", queries,
                     " queries and ", keys, " keys; reshape [batch, heads, queries, keys] to ",
                     "three extents, or give the grid of the keys");
  Layer layer{tensor.bytes.data(), type, shape[0], {}, {}, tensor.owner};
  layer.queries = detail::token_grid(queries, query_grid, grids.queries, tensor.name, "queries");
  const bool alike = rank < 5 && keys == queries && grids.keys == GridSize{};
  layer.keys =
      alike ? layer.queries : detail::token_grid(keys, key_grid, grids.keys, tensor.name, "keys");
  return layer;
}

}  // namespace diffseg
