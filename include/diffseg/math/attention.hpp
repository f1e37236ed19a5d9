// SPDX-License-Identifier: MIT
// Attention tensors at the door: their element types and what is refused.
#pragma once

#include <cstddef>

#include "diffseg/core/check.hpp"
#include "diffseg/core/parallel.hpp"
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

/// Bytes of the layer's numbers that are read.
[[nodiscard]] inline Index layer_bytes(const Layer& layer) {
  const Index numbers = layer.kind == LayerKind::queries_keys
                            ? layer.depth * (layer.queries.cells() + layer.keys.cells())
                            : layer.queries.cells() * layer.keys.cells();
  return layer.heads * numbers * element_bytes(layer.type);
}

namespace detail {

/// Refuses strides that let rows overlap or leave what can be addressed.
inline void check_strides(const Layer& layer, std::size_t index, const char* stage) {
  const auto at = [&](const char* rule) { return message(stage, ": layer ", index, ": ", rule); };
  const bool products = layer.kind == LayerKind::queries_keys;
  const Index width = products ? layer.depth : layer.keys.cells();
  for (const Index stride : {layer.row_stride, products ? layer.key_row_stride : 0}) {
    require(stride == 0 || stride >= width, at("a row stride must be 0 or at least "), width,
            ", got ", stride);
  }
  for (const Index stride : {layer.head_stride, products ? layer.key_head_stride : 0}) {
    require(stride >= 0, at("a head stride must be >= 0, got "), stride);
  }
  for (const Index step : {layer.head_step(), products ? layer.key_head_step() : 0}) {
    (void)checked_product(checked_product(layer.heads, step, stage), Index{8}, stage);
  }
}

inline void check_head_weights(const Layer& layer, std::size_t index, const char* stage) {
  if (layer.head_weights.empty()) return;
  const auto at = [&](const char* rule) { return message(stage, ": layer ", index, ": ", rule); };
  require(static_cast<Index>(layer.head_weights.size()) == layer.heads,
          at("head_weights must be one per head, got "), layer.head_weights.size(), " for ",
          layer.heads, " heads");
  double total = 0;
  for (const double weight : layer.head_weights) {
    require(is_finite(weight) && weight >= 0, at("head_weights must be finite and >= 0, got "),
            weight);
    total += weight;
  }
  require(total > 0 && is_finite(total), at("head_weights must have a positive sum, got "), total);
}

}  // namespace detail

/// Refuses a layer without data, heads or cells, too large to address, or with fields that
/// contradict each other; `index` and `stage` go into the message. Looks at no number.
inline void check_layer(const Layer& layer, std::size_t index, const char* stage) {
  const auto at = [&](const char* rule) { return message(stage, ": layer ", index, ": ", rule); };
  const bool products = layer.kind == LayerKind::queries_keys;
  require(layer.data != nullptr && (!products || layer.key_data != nullptr),
          at("data must not be null"));
  require(layer.heads >= 1, at("heads must be >= 1, got "), layer.heads);
  require(!products || layer.depth >= 1, at("depth must be >= 1, got "), layer.depth);
  require(is_finite(layer.scale) && layer.scale >= 0, at("scale must be finite and >= 0, got "),
          layer.scale);
  for (const GridSize& grid : {layer.queries, layer.keys}) {
    require(grid.height >= 1 && grid.width >= 1, at("grids must be at least 1 x 1, got "),
            grid.height, " x ", grid.width);
    (void)checked_product(grid.height, grid.width, stage);
  }
  const Index row = checked_product(layer.queries.cells(), layer.keys.cells(), stage);
  (void)checked_product(checked_product(layer.heads, row, stage), Index{8}, stage);
  detail::check_strides(layer, index, stage);
  detail::check_head_weights(layer, index, stage);
}

/// Names the first number of one query's rows that no attention can hold.
inline void refuse_invalid(const Layer& layer, std::size_t index, Index query, const char* stage) {
  visit_elements(layer, [&](const auto* data) {
    for (Index head = 0; head < layer.heads; ++head) {
      const auto* row = data + head * layer.head_step() + query * layer.query_step();
      for (Index key = 0; key < layer.keys.cells(); ++key) {
        require(!is_invalid_attention(row[key]), stage, ": attention must be finite and >= 0, got ",
                static_cast<double>(row[key]), " at layer ", index, ", head ", head, ", query ",
                query, ", key ", key);
      }
    }
  });
}

/// Refuses queries and keys that are not finite, naming the first: scores would hide them.
inline void refuse_invalid_products(const Layer& layer, std::size_t index, const char* stage) {
  const auto check = [&](const auto* rows, Index count, Index step, Index head, const char* what) {
    for (Index row = 0; row < count; ++row) {
      bool sound = true;  // no early exit, so that it runs in packets
      const auto* numbers = rows + row * step;
      for (Index i = 0; i < layer.depth; ++i) sound &= is_finite_element(numbers[i]);
      for (Index i = 0; !sound && i < layer.depth; ++i) {
        require(is_finite_element(numbers[i]), stage, ": queries and keys must be finite, got ",
                static_cast<double>(numbers[i]), " at layer ", index, ", head ", head, ", ", what,
                ' ', row, ", number ", i);
      }
    }
  };
  visit_elements(layer, [&](const auto* data) {
    const auto* keys = static_cast<decltype(data)>(layer.key_data);
    parallel_for(layer.heads, [&](Index head) {
      check(data + head * layer.head_step(), layer.queries.cells(), layer.query_step(), head,
            "query");
      check(keys + head * layer.key_head_step(), layer.keys.cells(), layer.key_step(), head, "key");
    });
  });
}

namespace detail {

/// Where the number `numbers` behind `data` lies; null stays null.
inline const void* advanced(const void* data, Index numbers, ElementType type) {
  if (data == nullptr) return data;
  return static_cast<const std::byte*>(data) + numbers * element_bytes(type);
}

}  // namespace detail

/// The heads first .. first + count - 1 of a layer: a view of the same numbers.
[[nodiscard]] inline Layer select_heads(const Layer& layer, Index first, Index count) {
  require(first >= 0 && count >= 1 && first <= layer.heads - count,
          "select_heads: heads must lie in 0 .. ", layer.heads - 1, ", got ", count, " from ",
          first);
  Layer part = layer;
  part.data = detail::advanced(layer.data, first * layer.head_step(), layer.type);
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
  require(layer.heads % 2 == 0, "conditional_half: heads must be even, got ", layer.heads);
  return select_heads(layer, layer.heads / 2, layer.heads / 2);
}

/// Of a layer over all `tokens` tokens of a sequence, whose grids say {1, tokens}: the grid.cells()
/// tokens from `first` on, as queries and as keys. Leading class and register tokens, leading or
/// trailing text are left out; what remains of each row is scaled to sum 1.
[[nodiscard]] inline Layer select_tokens(const Layer& layer, Index first, GridSize grid) {
  const Index tokens = layer.queries.cells();
  require(layer.keys.cells() == tokens,
          "select_tokens: the layer must have as many keys as queries, got ", layer.keys.cells(),
          " and ", tokens);
  require(grid.height >= 1 && grid.width >= 1 && first >= 0 &&
              checked_product(grid.height, grid.width, "select_tokens") <= tokens - first,
          "select_tokens: the grid must fit the tokens 0 .. ", tokens - 1, ", got ", grid.height,
          " x ", grid.width, " from ", first);
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
