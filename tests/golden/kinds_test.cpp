// SPDX-License-Identifier: MIT
// Golden cases fed as queries with keys, and in half precision.
#include <iostream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/golden_labels.hpp"

using diffseg::Index;
using diffseg::Layer;
using diffseg::Layers;
using golden::agreement;
using golden::Case;

namespace {

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

}  // namespace

TEST_CASE("golden: queries with keys and half precision give the labels of attention",
          "[law][golden]") {
  // What half precision rounds to zero is below 3e-8; above this floor little of it is missed.
  constexpr double half_floor = 1e-9;
  for (const Case& test : golden::load_all(DIFFSEG_GOLDEN_DIR)) {
    const Layers attention = golden::layers<float>(test);
    std::vector<std::vector<float>> numbers;
    const double same =
        agreement(labels_of(test, products(test, numbers)), labels_of(test, attention));
    const double half = agreement(labels_of(test, golden::layers<Eigen::half>(test), half_floor),
                                  labels_of(test, attention, half_floor));
    std::cout << test.name << ": queries with keys " << 100 * same << " %, f16 " << 100 * half
              << " % of the labels of f32 attention\n";
    CHECK(same >= 0.999);
    CHECK(half >= 0.995);
  }
}
