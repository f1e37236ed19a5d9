// SPDX-License-Identifier: MIT
// Synthetic attention of any number of tokens, heads and layers.
#pragma once

#include <utility>

#include "attention.hpp"

namespace bench {

/// What time and memory are measured over.
struct Shape {
  Index side = 64;  ///< cells a side of the finest layer, a multiple of 8
  Index heads = 1;
  Index layers = 1;  ///< 1 .. 4: full, 1/2, 1/4, 1/8 of the side
  friend bool operator==(const Shape&, const Shape&) = default;
};

/// `heads` heads of f32 out of one, each blurred a little more than the one before.
inline Layer blurred_heads(const Layer& layer, Index heads) {
  const Index tokens = layer.queries.cells();
  const auto* from = static_cast<const float*>(layer.data);
  std::vector<float> values(static_cast<std::size_t>(heads * tokens * tokens));
  diffseg::detail::parallel_for(heads * tokens, [&](Index row) {
    const float share = 0.02F * static_cast<float>(row / tokens);
    const Eigen::Map<const Eigen::ArrayXf> source(from + row % tokens * tokens, tokens);
    Eigen::Map<Eigen::ArrayXf>(values.data() + row * tokens, tokens) =
        (1 - share) * source + share / static_cast<float>(tokens);
  });
  return Layer::owning(std::move(values), heads, layer.queries);
}

/// Attention by Affinity of the synthetic photo. The last shape asked for is kept: 16,384 tokens
/// take 1 GiB a head.
inline const Layers& scaled_attention(const Shape& shape) {
  static std::pair<Shape, Layers> kept;
  if (kept.first == shape && !kept.second.empty()) return kept.second;
  kept = {shape, {}};
  static const auto photo = synthetic_photo({512, 512});
  Layers all = diffseg::Affinity{.cells = shape.side * shape.side}(photo);
  all.resize(static_cast<std::size_t>(shape.layers));
  for (Layer& layer : all) {
    kept.second.push_back(shape.heads == 1 ? layer : blurred_heads(layer, shape.heads));
    layer = {};
  }
  return kept.second;
}

}  // namespace bench
