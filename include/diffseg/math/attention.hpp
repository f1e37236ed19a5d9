// SPDX-License-Identifier: MIT
// Attention tensors at the door: their element types and what is refused.
#pragma once

#include "diffseg/core/check.hpp"
#include "diffseg/core/types.hpp"
#include "diffseg/kernels/head_sum.hpp"

namespace diffseg {

/// Calls body with a typed pointer to the layer's numbers.
template <class Body>
decltype(auto) visit_elements(const Layer& layer, const Body& body) {
  switch (layer.type) {
    case ElementType::f16:
      return body(static_cast<const Eigen::half*>(layer.data));
    case ElementType::bf16:
      return body(static_cast<const Eigen::bfloat16*>(layer.data));
    case ElementType::f64:
      return body(static_cast<const double*>(layer.data));
    case ElementType::f32:
      break;
  }
  return body(static_cast<const float*>(layer.data));
}

/// Bytes that the layer's numbers take.
[[nodiscard]] inline Index layer_bytes(const Layer& layer) {
  const Index size =
      visit_elements(layer, [](const auto* data) { return static_cast<Index>(sizeof(*data)); });
  return layer.heads * layer.queries.cells() * layer.keys.cells() * size;
}

/// Refuses a layer without data, heads or cells, or too large to address; `index` and `stage` go
/// into the message.
inline void check_layer(const Layer& layer, std::size_t index, const char* stage) {
  const auto at = [&](const char* rule) { return message(stage, ": layer ", index, ": ", rule); };
  require(layer.data != nullptr, at("data must not be null"));
  require(layer.heads >= 1, at("heads must be >= 1, got "), layer.heads);
  for (const GridSize& grid : {layer.queries, layer.keys}) {
    require(grid.height >= 1 && grid.width >= 1, at("grids must be at least 1 x 1, got "),
            grid.height, " x ", grid.width);
    (void)checked_product(grid.height, grid.width, stage);
  }
  const Index row = checked_product(layer.queries.cells(), layer.keys.cells(), stage);
  (void)checked_product(checked_product(layer.heads, row, stage), Index{8}, stage);
}

/// Names the first number of one query's rows that no attention can hold.
inline void refuse_invalid(const Layer& layer, std::size_t index, Index query, const char* stage) {
  visit_elements(layer, [&](const auto* data) {
    const Index keys = layer.keys.cells();
    for (Index head = 0; head < layer.heads; ++head) {
      for (Index key = 0; key < keys; ++key) {
        const auto value = data[(head * layer.queries.cells() + query) * keys + key];
        require(!is_invalid_attention(value), stage, ": attention must be finite and >= 0, got ",
                static_cast<double>(value), " at layer ", index, ", head ", head, ", query ", query,
                ", key ", key);
      }
    }
  });
}

}  // namespace diffseg
