// SPDX-License-Identifier: MIT
// Parts of a layer: some of its heads; some of its tokens by data/layer_tokens.hpp. Views.
#pragma once

#include "diffseg/data/layer_tokens.hpp"

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

}  // namespace diffseg
