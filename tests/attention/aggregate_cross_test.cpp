// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/attention/aggregate_cross.hpp>
#include <diffseg/core/parallel.hpp>
#include <diffseg/math/resample.hpp>
#include <limits>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/shifted.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

using Tokens = std::vector<Index>;

/// The definition: all tokens enlarged, each layer divided by its sum over tokens, in double.
Matrix<double> by_definition(const Layers& layers, GridSize size,
                             const std::vector<double>& weights) {
  const Index tokens = layers[0].keys.width;
  Matrix<double> result = Matrix<double>::Zero(tokens, size.cells());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const Index queries = layer.queries.cells();
    const Resampler<double> resampler(layer.queries, size, Resampling::bilinear);
    Matrix<double> large(tokens, size.cells());
    for (Index token = 0; token < tokens; ++token) {
      std::vector<double> plane(static_cast<std::size_t>(queries), 0.0);
      for (Index row = 0; row < layer.heads * queries; ++row) {
        plane[static_cast<std::size_t>(row % queries)] +=
            number_at(layer.type, layer.data, row * tokens + token) /
            static_cast<double>(layer.heads);
      }
      resampler.apply(plane.data(), large.row(token).data());
    }
    for (Index pixel = 0; pixel < size.cells(); ++pixel) {
      result.col(pixel) += weights[i] / large.col(pixel).sum() * large.col(pixel);
    }
  }
  return result;
}

template <class Element>
Layers random_layers(Random& random, Index tokens) {
  return {support::random_layer<Element>(random, 3, {6, 4}, {1, tokens}),
          support::random_layer<Element>(random, 2, {3, 2}, {1, tokens}),
          support::random_layer<Element>(random, 1, {1, 1}, {1, tokens})};
}

template <class Element, class Scalar>
void check_definition(double tolerance) {
  Random random(77);
  INFO(random.note());
  for (const Index tokens : {1, 5, 77, 130}) {
    const Layers layers = random_layers<Element>(random, tokens);
    const std::vector<double> weights = {0.5, 0, 2};
    const GridSize size = random.grid(1, 19);
    CrossMaps<Scalar> maps;
    AggregateCross{.size = size, .weights = weights}(layers, maps);
    CHECK(maps.size == size);
    REQUIRE(maps.values.rows() == tokens);
    const auto expected = by_definition(layers, size, weights);
    CHECK((maps.values.template cast<double>() - expected).cwiseAbs().maxCoeff() <= tolerance);
    // Every pixel holds the weights.
    CHECK(std::abs(static_cast<double>(maps.values.col(0).sum()) - 2.5) <= 10 * tolerance);
  }
}

}  // namespace

TEST_CASE("AggregateCross is its definition for every element type", "[unit]") {
  check_definition<float, float>(2e-6);
  check_definition<Eigen::half, float>(2e-6);
  check_definition<Eigen::bfloat16, float>(2e-6);
  check_definition<float, double>(1e-13);
  check_definition<double, double>(1e-13);
}

TEST_CASE("AggregateCross reads numbers at any byte", "[unit][law]") {
  Random random(76);
  INFO(random.note());
  Layers layers = random_layers<float>(random, 77);
  const CrossMaps<float> expected = AggregateCross{.size = {13, 17}}(layers);
  for (Layer& layer : layers) layer = support::shifted(layer, 2);
  CHECK(AggregateCross{.size = {13, 17}}(layers).values == expected.values);
}

TEST_CASE("AggregateCross gives the wanted columns the bits they have among all", "[unit][law]") {
  Random random(78);
  INFO(random.note());
  const Layers layers = random_layers<float>(random, 20);
  const CrossMaps<float> all = AggregateCross{.size = {13, 17}}(layers);
  CHECK(all.tokens.size() == 20);
  const CrossMaps<float> some = AggregateCross{.size = {13, 17}, .tokens = {19, 3, 7, 3}}(layers);
  CHECK(some.tokens == Tokens{3, 7, 19});
  for (Index i = 0; i < some.values.rows(); ++i) {
    CHECK(some.values.row(i) == all.values.row(some.tokens[static_cast<std::size_t>(i)]));
  }
  const ThreadLimit limit(1);
  CHECK(AggregateCross{.size = {13, 17}}(layers).values == all.values);
  CrossMaps<float> reused = some;
  AggregateCross{.size = {13, 17}}(layers, reused);
  CHECK(reused.values == all.values);
}

TEST_CASE("AggregateCross makes nothing of the scale of a layer", "[unit]") {
  std::vector<float> values = {1, 3, 2, 2, 4, 0, 1, 1};  // 4 queries, 2 tokens, sums 4, 4, 4, 2
  const Layers layers = {Layer::view(values.data(), 1, {2, 2}).over_tokens(2)};
  const CrossMaps<float> maps = AggregateCross{.size = {2, 2}}(layers);
  Matrix<float> expected(2, 4);
  expected << 0.25F, 0.5F, 1.0F, 0.5F, 0.75F, 0.5F, 0.0F, 0.5F;
  CHECK(maps.values.isApprox(expected, 1e-6F));
}

TEST_CASE("AggregateCross refuses what it cannot aggregate", "[unit]") {
  Random random(79);
  const Layers layers = random_layers<float>(random, 4);
  CHECK_THROWS_AS(AggregateCross{}(Layers{}), std::invalid_argument);
  CHECK_THROWS_AS((AggregateCross{.size = {0, 5}}(layers)), std::invalid_argument);
  CHECK_THROWS_AS((AggregateCross{.weights = {1, 1}}(layers)), std::invalid_argument);
  CHECK_THROWS_AS((AggregateCross{.weights = {1, 1, -1}}(layers)), std::invalid_argument);
  CHECK_THROWS_AS((AggregateCross{.tokens = {4}}(layers)), std::invalid_argument);
  CHECK_THROWS_AS((AggregateCross{.tokens = {-1}}(layers)), std::invalid_argument);
  Layers uneven = layers;
  uneven[1] = uneven[1].over_tokens(2);
  CHECK_THROWS_AS(AggregateCross{}(uneven), std::invalid_argument);
  Layers self = layers;
  self[0].keys = {2, 2};
  CHECK_THROWS_AS(AggregateCross{}(self), std::invalid_argument);
  for (const float bad : {-0.5F, std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> values = {1, bad, 1, 1};
    CHECK_THROWS_AS(AggregateCross{}({Layer::view(values.data(), 1, {1, 2}).over_tokens(2)}),
                    std::invalid_argument);
  }
  std::vector<float> nothing = {1, 0, 0, 0};
  CHECK_THROWS_AS(AggregateCross{}({Layer::view(nothing.data(), 1, {1, 2}).over_tokens(2)}),
                  std::invalid_argument);
}
