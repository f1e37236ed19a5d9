// SPDX-License-Identifier: MIT
// What every reader of attention tensors asks first: their element types and what is refused.
#pragma once

#include <cstdint>

#include "diffseg/attention/detail/head_sum.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/data/layer.hpp"

namespace diffseg::detail {

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

/// Calls body with a typed pointer to the columns of a sparse layer.
template <class Body>
decltype(auto) visit_columns(const Layer& layer, const Body& body) {
  if (layer.column_type == ColumnType::i64) {
    return body(static_cast<const std::int64_t*>(layer.columns));
  }
  return body(static_cast<const std::int32_t*>(layer.columns));
}

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

/// Refuses rows that do not follow one another or hold more numbers than there are keys.
inline void check_row_starts(const Layer& layer, std::size_t index, const char* stage) {
  const auto at = [&](const char* rule) { return message(stage, ": layer ", index, ": ", rule); };
  require(layer.row_starts != nullptr && layer.columns != nullptr,
          at("row_starts and columns of a sparse layer must not be null"));
  require(layer.head_stride == 0 && layer.row_stride == 0,
          at("a sparse layer has no strides, got "), layer.head_stride, " and ", layer.row_stride);
  const Index queries = layer.queries.cells();
  require(layer.row_starts[0] >= 0, at("row_starts must be >= 0, got "), layer.row_starts[0],
          " at head 0, query 0");
  for (Index row = 0; row < layer.heads * queries; ++row) {
    const Index begin = layer.row_starts[row];
    const Index end = layer.row_starts[row + 1];
    require(begin <= end && end - begin <= layer.keys.cells(), at("row_starts must rise by 0 .. "),
            layer.keys.cells(), " numbers a row, got ", begin, " and ", end, " at head ",
            row / queries, ", query ", row % queries);
  }
}

/// Refuses a layer without data, heads or cells, too large to address, or with fields that
/// contradict each other; `index` and `stage` go into the message. Looks at no attention.
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
  check_strides(layer, index, stage);
  check_head_weights(layer, index, stage);
  require(!layer.spread_rest || (layer.kind == LayerKind::sparse && !layer.partial),
          at("spread_rest is for sparse layers whose rows are no parts, got it with another kind "),
          "or partial");
  if (layer.kind == LayerKind::sparse) check_row_starts(layer, index, stage);
}

/// Names the first number of one query's dense rows that no attention can hold.
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

}  // namespace diffseg::detail
