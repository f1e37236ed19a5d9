// SPDX-License-Identifier: MIT
// Attention to measure with: a bundled golden case at the shapes of SD 1.5, and a photo's.
#pragma once

#include <cmath>
#include <diffseg/core/parallel.hpp>
#include <diffseg/data/image.hpp>
#include <diffseg/data/layer.hpp>
#include <diffseg/photo/affinity.hpp>
#include <string>
#include <utility>
#include <vector>

#include "../../tests/support/subnormals.hpp"
#include "coffee_array.hpp"

namespace bench {

/// [heads, side^2, side^2]: head h = softmax over keys of q k^T of the case's head h modulo its
/// number of heads. The mean over heads is that of the case, so its expected results hold.
template <class Element>
Layer coffee_layer(Index side, Index heads) {
  const auto file = coffee_array("q_" + std::to_string(side));
  const auto queries = file.as<double>();
  const auto keys = coffee_array("k_" + std::to_string(side)).as<double>();
  const Index kept = file.shape.at(0);
  const Index tokens = file.shape.at(1);
  const Index depth = file.shape.at(2);
  std::vector<Element> values(static_cast<std::size_t>(heads * tokens * tokens));
  diffseg::detail::parallel_for(kept * tokens, [&](Index row) {
    const support::KeepSubnormals keep;
    const Eigen::Map<const Matrix<double>> head(keys.data() + row / tokens * tokens * depth, tokens,
                                                depth);
    const Eigen::Map<const Eigen::VectorXd> query(queries.data() + row * depth, depth);
    Eigen::ArrayXd scores = (head * query).array();
    scores = (scores - scores.maxCoeff()).exp();
    scores /= scores.sum();
    for (Index copy = row / tokens; copy < heads; copy += kept) {
      Element* out = values.data() + (copy * tokens + row % tokens) * tokens;
      for (Index i = 0; i < tokens; ++i)
        out[i] = static_cast<Element>(static_cast<float>(scores[i]));
    }
  });
  return Layer::owning(std::move(values), heads, {side, side});
}

/// The four layers of the case with `heads` heads each, sides 64, 32, 16, 8.
template <class Element = float>
Layers make_coffee(Index heads) {
  Layers layers;
  for (const Index side : {64, 32, 16, 8}) layers.push_back(coffee_layer<Element>(side, heads));
  return layers;
}

/// SD 1.5 at 512 pixels: 8 heads, f32, 573 MB; made once per process.
inline const Layers& coffee() {
  static const Layers layers = make_coffee(8);
  return layers;
}

/// A photo of discs on a gradient with grain, the same every time.
inline diffseg::Image<float> synthetic_photo(GridSize size) {
  diffseg::Image<float> photo{size, 3, {}};
  photo.values.reserve(static_cast<std::size_t>(3 * size.cells()));
  unsigned noise = 1;
  for (Index y = 0; y < size.height; ++y) {
    for (Index x = 0; x < size.width; ++x) {
      const double v = static_cast<double>(y) / static_cast<double>(size.height);
      const double u = static_cast<double>(x) / static_cast<double>(size.width);
      double colour[3] = {0.2 + 0.5 * u, 0.3 + 0.4 * v, 0.6 - 0.3 * u};
      for (int disc = 0; disc < 6; ++disc) {
        const double dy = v - 0.15 - 0.14 * disc;
        const double dx = u - 0.5 - 0.35 * std::sin(2.4 * disc);
        if (dy * dy + dx * dx < 0.012 + 0.002 * disc) colour[disc % 3] = 0.1 + 0.15 * disc;
      }
      for (const double value : colour) {
        noise = noise * 1664525U + 1013904223U;
        photo.values.push_back(static_cast<float>(value + (noise >> 16) / 65536.0 * 0.06));
      }
    }
  }
  return photo;
}

/// The photo front end's attention, one head; made once per process.
inline const Layers& photo() {
  static const Layers layers = diffseg::Affinity{}(synthetic_photo({512, 512}));
  return layers;
}

}  // namespace bench
