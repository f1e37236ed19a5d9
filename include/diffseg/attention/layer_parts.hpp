// SPDX-License-Identifier: MIT
// Parts of a layer: some of its heads, or of its tokens. Views of the same numbers.
#pragma once

#include "diffseg/data/layer.hpp"

namespace diffseg {

/// The heads first .. first + count - 1 of a layer: a view of the same numbers.
[[nodiscard]] inline Layer select_heads(const Layer& layer, Index first, Index count) {
  detail::require(first >= 0 && count >= 1 && first <= layer.heads - count,
                  "select_heads: heads must lie in 0 .. ", layer.heads - 1, ", got ", count,
                  " from ", first);
  Layer part = layer;
  if (layer.kind == LayerKind::sparse) {
    part.row_starts = layer.row_starts + first * layer.queries.cells();
  } else {
    part.data = detail::advanced(layer.data, first * layer.head_step(), layer.type);
  }
  part.key_data = detail::advanced(layer.key_data, first * layer.key_head_step(), layer.type);
  part.heads = count;
  if (!layer.head_weights.empty()) {
    part.head_weights.assign(layer.head_weights.begin() + first,
                             layer.head_weights.begin() + first + count);
  }
  return part;
}

/// Of a layer whose heads are those of a guidance batch, unconditional half first (as Stable
/// Diffusion's pipelines stack them): the conditional half.
[[nodiscard]] inline Layer conditional_half(const Layer& layer) {
  detail::require(layer.heads % 2 == 0, "conditional_half: heads must be even, got ", layer.heads);
  return select_heads(layer, layer.heads / 2, layer.heads / 2);
}

/// Of a layer over all `tokens` tokens of a sequence, whose grids say {1, tokens}: the grid.cells()
/// tokens from `first` on, as queries and as keys. Leading class and register tokens, leading or
/// trailing text are left out; what remains of each row is scaled to sum 1. Not of a sparse layer.
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

}  // namespace diffseg
