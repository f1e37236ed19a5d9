// SPDX-License-Identifier: MIT
// The cross-attention of the bundled case, and one pixel of it plainly.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "coffee_array.hpp"

namespace bench {

/// [1, side^2, 77] softmax over tokens of xq xk^T.
inline Layer coffee_cross_layer(Index side) {
  const auto file = coffee_array("xq_" + std::to_string(side));
  const auto queries = file.as<double>();
  const auto key_file = coffee_array("xk");
  const auto keys = key_file.as<double>();
  const Index rows = side * side;
  const Index depth = file.shape.back();
  const Index tokens = static_cast<Index>(keys.size()) / depth;
  const Matrix<double> scores =
      Eigen::Map<const Matrix<double>>(queries.data(), rows, depth) *
      Eigen::Map<const Matrix<double>>(keys.data(), tokens, depth).transpose();
  std::vector<float> values(static_cast<std::size_t>(rows * tokens));
  for (Index row = 0; row < rows; ++row) {
    Eigen::ArrayXd shares = (scores.row(row).array() - scores.row(row).maxCoeff()).exp();
    shares /= shares.sum();
    Eigen::Map<Eigen::ArrayXf>(values.data() + row * tokens, tokens) = shares.cast<float>();
  }
  return Layer::owning(std::move(values), 1, {side, side}, {1, tokens});
}

/// The four layers, sides 64, 32, 16, 8; made once per process.
inline const Layers& coffee_cross() {
  static const Layers layers = {coffee_cross_layer(64), coffee_cross_layer(32),
                                coffee_cross_layer(16), coffee_cross_layer(8)};
  return layers;
}

/// [tokens] what a pixel of `size` gets of all layers: bilinear, divided by its sum, added up.
inline Eigen::VectorXd cross_pixel(const Layers& layers, GridSize size, Index y, Index x) {
  Eigen::VectorXd total = Eigen::VectorXd::Zero(layers.front().keys.cells());
  for (const Layer& layer : layers) {
    const auto place = [](Index pixel, Index from, Index to) {
      const double at =
          (static_cast<double>(pixel) + 0.5) * static_cast<double>(from) / static_cast<double>(to) -
          0.5;
      return std::min(std::max(at, 0.0), static_cast<double>(from - 1));
    };
    const double v = place(y, layer.queries.height, size.height);
    const double u = place(x, layer.queries.width, size.width);
    Eigen::VectorXd sum = Eigen::VectorXd::Zero(total.size());
    for (Index query = 0; query < layer.queries.cells(); ++query) {
      const double dy = std::abs(v - static_cast<double>(query / layer.queries.width));
      const double dx = std::abs(u - static_cast<double>(query % layer.queries.width));
      if (dy >= 1 || dx >= 1) continue;
      const auto* row = static_cast<const float*>(layer.data) + query * total.size();
      sum +=
          (1 - dy) * (1 - dx) * Eigen::Map<const Eigen::VectorXf>(row, total.size()).cast<double>();
    }
    total += sum / sum.sum();
  }
  return total;
}

}  // namespace bench
