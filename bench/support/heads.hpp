// SPDX-License-Identifier: MIT
// A photo's attention at the shapes of a model: as many heads as the model has, all different.
#pragma once

#include <diffseg/attention/aggregate.hpp>
#include <diffseg/attention/models.hpp>
#include <diffseg/merge/compare.hpp>
#include <vector>

#include "attention.hpp"

namespace bench {

/// Head `head` of `heads` sees differences between tokens up to 15 % larger or smaller.
inline double head_exponent(Index head, Index heads) {
  return 1 + 0.3 * ((static_cast<double>(head) + 0.5) / static_cast<double>(heads) - 0.5);
}

/// [heads, tokens, tokens] out of one head of f32: its rows to the power of `exponent` and the
/// head's own, scaled to sum 1; a soft-max whose logits are multiplied by that.
template <class Element>
Layer sharpened(const Layer& layer, Index heads, double exponent) {
  const Index tokens = layer.queries.cells();
  std::vector<Element> values(static_cast<std::size_t>(heads * tokens * tokens));
  using Line = Eigen::Array<float, 1, Eigen::Dynamic>;
  diffseg::detail::parallel_for(
      tokens, [&] { return std::pair(Line(tokens), Line(tokens)); },
      [&](Index query, auto& lines) {
        auto& [logs, row] = lines;
        const float* const from = static_cast<const float*>(layer.data) + query * tokens;
        logs = Eigen::Map<const Line>(from, tokens).log();
        for (Index head = 0; head < heads; ++head) {
          row = (logs * static_cast<float>(exponent * head_exponent(head, heads))).exp();
          row = (row / row.sum()).max(1e-12F);
          Eigen::Map<Eigen::Array<Element, 1, Eigen::Dynamic>>(
              values.data() + (head * tokens + query) * tokens, tokens) =
              (row / row.sum()).template cast<Element>();
        }
      });
  return Layer::owning(std::move(values), heads, layer.queries);
}

/// One layer for each of `shapes`, whose grids must be squares of sides a, a / 2, a / 4 or a / 8
/// for the first side a, out of a square photo.
template <class Element>
Layers photo_heads(const diffseg::Image<float>& photo,
                   const std::vector<diffseg::AttentionShape>& shapes, double exponent) {
  const Layers plain = diffseg::Affinity{.cells = shapes.front().grid.cells()}(photo);
  Layers layers;
  for (const auto& shape : shapes) {
    for (const Layer& layer : plain) {
      if (layer.queries == shape.grid) {
        layers.push_back(sharpened<Element>(layer, shape.heads, exponent));
      }
    }
  }
  diffseg::detail::require(layers.size() == shapes.size(),
                           "photo_heads: the grids must halve, got ", layers.size(), " of ",
                           shapes.size());
  return layers;
}

/// The exponent at which a share of 0.065 of the pairs of 16 x 16 anchors with all maps is closer
/// than 0.9 nats, as in attention of diffusion models; found on grids of 64 x 64 cells at most.
inline double find_exponent(const diffseg::Image<float>& photo,
                            std::vector<diffseg::AttentionShape> shapes) {
  while (shapes.front().grid.height > 64) {
    for (auto& shape : shapes) shape.grid = {shape.grid.height / 2, shape.grid.width / 2};
  }
  double low = 0.5;
  double high = 16;
  for (auto& shape : shapes) shape.heads = 1;
  const Index side = std::min<Index>(16, shapes.front().grid.height);
  for (int step = 0; step < 8; ++step) {
    const double exponent = std::sqrt(low * high);
    const auto maps = diffseg::Aggregate{}(photo_heads<float>(photo, shapes, exponent));
    const auto found = diffseg::Compare{.anchors = {side, side}, .ceiling = 0.9}(maps);
    const auto pairs = static_cast<double>(side * side * maps.tokens());
    const bool many = static_cast<double>(found.divergences.nonZeros()) > 0.065 * pairs;
    (many ? low : high) = exponent;
  }
  return std::sqrt(low * high);
}

}  // namespace bench
