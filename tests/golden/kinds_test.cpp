// SPDX-License-Identifier: MIT
// Golden cases fed as queries with keys, and in half precision.
#include <diffseg/segment.hpp>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/golden.hpp"

using diffseg::Index;
using diffseg::Labels;
using diffseg::Layer;
using diffseg::Layers;
using golden::Case;

namespace {

Labels labels_of(const Case& test, const Layers& layers, double floor) {
  diffseg::SegmentOptions options;
  options.aggregate.weights = test.weights;
  options.aggregate.floor = floor;
  const double sum = std::accumulate(test.weights.begin(), test.weights.end(), 0.0);
  for (double& weight : options.aggregate.weights) weight /= sum;
  options.compare.anchors = {test.points, test.points};
  options.compare.placement = diffseg::Compare::Placement::published;
  options.merge.thresholds = test.thresholds;
  return diffseg::segment(layers, options);
}

/// The case's own arrays as layers; `numbers` keeps them.
Layers products(const Case& test, std::vector<std::vector<float>>& numbers) {
  Layers layers;
  for (const Index side : test.sizes) {
    const auto queries = test.read("q_" + std::to_string(side));
    numbers.push_back(queries.as<float>());
    numbers.push_back(test.read("k_" + std::to_string(side)).as<float>());
    layers.push_back(Layer::queries_and_keys((numbers.end() - 2)->data(), numbers.back().data(),
                                             test.heads, queries.shape.at(2), {side, side}));
    layers.back().scale = 1;
  }
  return layers;
}

double agreement(const Labels& a, const Labels& b) {
  Index equal = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) equal += a.values[i] == b.values[i] ? 1 : 0;
  return static_cast<double>(equal) / static_cast<double>(a.values.size());
}

}  // namespace

TEST_CASE("golden: queries with keys and half precision give the labels of attention",
          "[law][golden]") {
  // What half precision rounds to zero is below 3e-8; above this floor little of it is missed.
  constexpr double half_floor = 1e-9;
  for (const Case& test : golden::load_all(DIFFSEG_GOLDEN_DIR)) {
    const Layers attention = golden::layers<float>(test);
    std::vector<std::vector<float>> numbers;
    const double same = agreement(labels_of(test, products(test, numbers), 1e-30),
                                  labels_of(test, attention, 1e-30));
    const double half = agreement(labels_of(test, golden::layers<Eigen::half>(test), half_floor),
                                  labels_of(test, attention, half_floor));
    std::cout << test.name << ": queries with keys " << 100 * same << " %, f16 " << 100 * half
              << " % of the labels of f32 attention\n";
    CHECK(same >= 0.999);
    CHECK(half >= 0.995);
  }
}
