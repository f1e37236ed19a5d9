// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <diffseg/attention/aggregate.hpp>
#include <diffseg/core/parallel.hpp>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/aggregate.hpp"
#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"
#include "support/same.hpp"
#include "support/shifted.hpp"

using namespace diffseg;
using support::aggregate;
using support::Random;

namespace {

double element(const Layer& layer, Index i) {
  switch (layer.type) {
    case ElementType::f16:
      return static_cast<double>(static_cast<const Eigen::half*>(layer.data)[i]);
    case ElementType::bf16:
      return static_cast<double>(static_cast<const Eigen::bfloat16*>(layer.data)[i]);
    case ElementType::f32:
      return static_cast<double>(static_cast<const float*>(layer.data)[i]);
    case ElementType::f64:
      break;
  }
  return static_cast<const double*>(layer.data)[i];
}

/// Length that target i of `to` shares with source j of `from`, in units of a source.
double overlap(Index from, Index to, Index i, Index j) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to);
  const auto target = static_cast<double>(i);
  const auto source = static_cast<double>(j);
  return std::max(0.0,
                  std::min((target + 1) * ratio, source + 1) - std::max(target * ratio, source));
}

/// Keys: bilinear with half-pixel centres when enlarging, area sums when reducing.
double key_weight(Index from, Index to, Index i, Index j) {
  if (to < from) return overlap(from, to, i, j);
  const double at =
      (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
  const double clamped = std::clamp(at, 0.0, static_cast<double>(from - 1));
  return std::max(0.0, 1 - std::abs(clamped - static_cast<double>(j)));
}

/// Queries: the nearest when enlarging, the mean of the covered ones when reducing.
double query_weight(Index from, Index to, Index i, Index j) {
  if (to < from) {
    return overlap(from, to, i, j) * static_cast<double>(to) / static_cast<double>(from);
  }
  return j == i * from / to ? 1 : 0;
}

/// [grid cells x layer keys-on-grid], step by step: mean over heads, enlarge, divide by the sum.
Matrix<double> coarse_maps(const Layer& layer, GridSize grid) {
  const Index keys = layer.keys.cells();
  Matrix<double> maps = Matrix<double>::Zero(layer.queries.cells(), grid.cells());
  for (Index query = 0; query < layer.queries.cells(); ++query) {
    for (Index cell = 0; cell < grid.cells(); ++cell) {
      for (Index key = 0; key < keys; ++key) {
        const double weight =
            key_weight(layer.keys.height, grid.height, cell / grid.width, key / layer.keys.width) *
            key_weight(layer.keys.width, grid.width, cell % grid.width, key % layer.keys.width);
        if (weight == 0) continue;
        double mean = 0;
        for (Index head = 0; head < layer.heads; ++head) {
          mean += element(layer, (head * layer.queries.cells() + query) * keys + key);
        }
        maps(query, cell) += weight * mean / static_cast<double>(layer.heads);
      }
    }
    maps.row(query) /= maps.row(query).sum();
  }
  return maps;
}

/// The definition, literally, in double.
Matrix<double> plain_aggregate(const Layers& layers, GridSize grid, std::vector<double> weights) {
  if (weights.empty()) {
    double total = 0;
    for (const Layer& layer : layers) {
      weights.push_back(std::sqrt(static_cast<double>(layer.queries.cells())));
      total += weights.back();
    }
    for (double& weight : weights) weight /= total;
  }
  Matrix<double> result = Matrix<double>::Zero(grid.cells(), grid.cells());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const GridSize queries = layers[i].queries;
    const auto maps = coarse_maps(layers[i], grid);
    for (Index token = 0; token < grid.cells(); ++token) {
      for (Index query = 0; query < queries.cells(); ++query) {
        const double weight =
            query_weight(queries.height, grid.height, token / grid.width, query / queries.width) *
            query_weight(queries.width, grid.width, token % grid.width, query % queries.width);
        if (weight != 0) result.row(token) += weights[i] * weight * maps.row(query);
      }
    }
  }
  return result;
}

template <class Scalar>
double worst_error(const Maps<Scalar>& maps, const Matrix<double>& expected) {
  return (maps.rows().template cast<double>() - expected).cwiseAbs().maxCoeff();
}

template <class Scalar>
constexpr double aggregate_tolerance = sizeof(Scalar) == 4 ? 1e-6 : 1e-14;

/// One layer [heads, cells, cells] on `grid` with every number 1 / cells, to be spoilt.
std::vector<float> even(Index heads, GridSize grid) {
  return std::vector<float>(static_cast<std::size_t>(heads * grid.cells() * grid.cells()),
                            1.0F / static_cast<float>(grid.cells()));
}

/// A copy of a layer whose numbers are multiplied.
Layer scaled(const Layer& layer, float factor) {
  const Index count = layer.heads * layer.queries.cells() * layer.keys.cells();
  const auto* data = static_cast<const float*>(layer.data);
  std::vector<float> values(data, data + count);
  for (float& value : values) value *= factor;
  Layer result = Layer::owning(std::move(values), layer.heads, layer.queries, layer.keys);
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("two layers on two cells by hand", "[aggregate][unit]", float, double) {
  // Fine: heads (3/4, 1/4; 1/4, 3/4) and (1/4, 3/4; 1/4, 3/4): means (1/2, 1/2; 1/4, 3/4).
  // Coarse: one cell, enlarged to (1, 1), divided by 2. Sides sqrt 2 and 1 -> weights given.
  const std::vector<float> fine = {0.75F, 0.25F, 0.25F, 0.75F, 0.25F, 0.75F, 0.25F, 0.75F};
  const std::vector<float> coarse = {1};
  const Layers layers = {Layer::view(fine.data(), 2, {1, 2}),
                         Layer::view(coarse.data(), 1, {1, 1})};
  const auto maps = aggregate<TestType>(layers, {.weights = {0.75, 0.25}});
  Matrix<double> expected(2, 2);
  expected << 0.5, 0.5, 0.3125, 0.6875;  // 3/4 fine + 1/4 (1/2, 1/2)
  REQUIRE(maps.grid() == GridSize{1, 2});
  REQUIRE(worst_error(maps, expected) < aggregate_tolerance<TestType>);
}

TEMPLATE_TEST_CASE("a coarse layer is enlarged and shared by hand", "[aggregate][unit]", float,
                   double) {
  // 1 x 2 -> 1 x 4, keys (1/4, 3/4): bilinear at 0, .25, .75, 1: 1/4 (1, 1.5, 2.5, 3), sum 2.
  // Queries 0 0 1 1.
  const std::vector<double> layer = {0.25, 0.75, 1, 0};
  const auto maps = aggregate<TestType>({Layer::view(layer.data(), 1, {1, 2})}, {.grid = {1, 4}});
  Matrix<double> expected(4, 4);
  expected.row(0) << 0.125, 0.1875, 0.3125, 0.375;
  expected.row(2) << 0.5, 0.375, 0.125, 0;
  expected.row(1) = expected.row(0);
  expected.row(3) = expected.row(2);
  REQUIRE(worst_error(maps, expected) < aggregate_tolerance<TestType>);
  REQUIRE(maps.rows()(2, 3) == static_cast<TestType>(1e-30));
}

TEMPLATE_TEST_CASE("a finer layer is summed and averaged by hand", "[aggregate][unit]", float,
                   double) {
  // 1 x 2 -> 1 x 1: one map of one cell.
  const std::vector<double> layer = {0.25, 0.75, 1, 0};
  const auto maps = aggregate<TestType>({Layer::view(layer.data(), 1, {1, 2})}, {.grid = {1, 1}});
  REQUIRE(std::abs(maps.rows()(0, 0) - TestType(1)) < aggregate_tolerance<TestType>);
}

TEMPLATE_TEST_CASE("aggregate equals its definition", "[aggregate][law]", float, double) {
  Random random(601);
  INFO(random.note());
  Layers layers;
  std::vector<double> weights;
  GridSize grid = {};
  SECTION("nested squares and several heads") {
    for (const Index side : {16, 8, 4, 2}) {
      layers.push_back(support::random_layer<TestType>(random, 3, {side, side}, {side, side}));
    }
  }
  SECTION("rectangles that do not nest") {
    for (const GridSize size : {GridSize{6, 9}, {4, 5}, {12, 18}}) {
      layers.push_back(support::random_layer<float>(random, 2, size, size));
    }
  }
  SECTION("several layers of one grid with weights") {
    for (const GridSize size : {GridSize{6, 9}, {3, 4}, {6, 9}, {3, 4}}) {
      layers.push_back(support::random_layer<double>(random, 2, size, size));
    }
    weights = {0.1, 0.4, 0.3, 0.2};
  }
  SECTION("layers finer than the working grid") {
    for (const GridSize size : {GridSize{12, 18}, {7, 5}, {4, 6}, {13, 3}}) {
      layers.push_back(support::random_layer<float>(random, 1, size, size));
    }
    grid = {5, 7};
  }
  SECTION("keys and queries on grids of their own") {
    layers.push_back(support::random_layer<float>(random, 2, {6, 9}, {4, 5}));
    layers.push_back(support::random_layer<float>(random, 1, {3, 2}, {10, 11}));
    layers.push_back(support::random_layer<float>(random, 2, {6, 9}, {6, 9}));
    layers.push_back(support::random_layer<double>(random, 2, {12, 4}, {5, 20}));
    grid = {6, 9};
  }
  SECTION("lines and single cells") {
    layers.push_back(support::random_layer<float>(random, 2, {1, 13}, {1, 13}));
    layers.push_back(support::random_layer<float>(random, 2, {1, 1}, {1, 1}));
    layers.push_back(support::random_layer<float>(random, 2, {3, 1}, {1, 4}));
  }
  SECTION("a layer of weight 0 is left out") {
    layers.push_back(support::random_layer<float>(random, 2, {5, 6}, {5, 6}));
    layers.push_back(support::random_layer<float>(random, 2, {2, 3}, {2, 3}));
    weights = {0, 1};
  }
  SECTION("more queries than one piece of work") {
    layers.push_back(support::random_layer<float>(random, 1, {14, 23}, {14, 23}));
    layers.push_back(support::random_layer<float>(random, 1, {7, 9}, {7, 9}));
  }
  const Aggregate stage{.grid = grid, .weights = weights};
  const auto maps = aggregate<TestType>(layers, stage);
  REQUIRE(worst_error(maps, plain_aggregate(layers, maps.grid(), weights)) <
          aggregate_tolerance<TestType>);
  for (Index row = 0; row < maps.tokens(); ++row) {
    REQUIRE(std::abs(maps.rows().row(row).template cast<double>().sum() - 1) < 1e-6);
  }
  REQUIRE(maps.rows().minCoeff() > TestType(0));
  REQUIRE(stage.as<TestType>()(layers).rows() == maps.rows());
}

TEMPLATE_TEST_CASE("the working grid is that of the most queries", "[aggregate][unit]", float,
                   double) {
  Random random(602);
  const Layers layers = {support::random_layer<float>(random, 1, {2, 3}, {9, 9}),
                         support::random_layer<float>(random, 1, {4, 2}, {2, 2})};
  REQUIRE(aggregate<TestType>(layers).grid() == GridSize{4, 2});
}

TEMPLATE_TEST_CASE("shrink divides the working grid and rounds up", "[aggregate][law]", float,
                   double) {
  Random random(610);
  INFO(random.note());
  const Layers layers = {support::random_layer<float>(random, 2, {3, 4}, {3, 4}),
                         support::random_layer<float>(random, 1, {9, 5}, {9, 5})};
  const std::vector<std::pair<Index, GridSize>> expected = {
      {1, {9, 5}}, {2, {5, 3}}, {3, {3, 2}}, {4, {3, 2}}, {5, {2, 1}}, {100, {1, 1}}};
  for (const auto& [shrink, grid] : expected) {
    CAPTURE(shrink);
    const auto maps = aggregate<TestType>(layers, {.shrink = shrink});
    REQUIRE(maps.grid() == grid);
    REQUIRE(maps.rows() == aggregate<TestType>(layers, {.grid = grid}).rows());
  }
}

TEMPLATE_TEST_CASE("sampled queries are those in the middle of their cells", "[aggregate][law]",
                   float, double) {
  Random random(611);
  INFO(random.note());
  const std::pair<GridSize, GridSize> cases[] = {
      {{9, 6}, {3, 4}},  {{4, 11}, {3, 4}}, {{3, 4}, {3, 4}},
      {{2, 2}, {3, 4}},  {{10, 2}, {7, 6}},  // fewer queries than cells, yet finer along one side
      {{3, 10}, {8, 7}},
  };
  for (const auto& [queries, grid] : cases) {
    CAPTURE(queries.height, queries.width);
    const GridSize kept{std::min(queries.height, grid.height), std::min(queries.width, grid.width)};
    Layer layer = support::random_layer<float>(random, 2, queries, {5, 7});
    Layer gathered = support::random_layer<float>(random, 2, kept, {5, 7});
    const auto* from = static_cast<const float*>(layer.data);
    std::vector<float> values;
    for (Index row = 0; row < 2 * kept.cells(); ++row) {
      const Index y = (2 * (row % kept.cells() / kept.width) + 1) * queries.height;
      const Index x = (2 * (row % kept.width) + 1) * queries.width;
      const Index query = y / (2 * kept.height) * queries.width + x / (2 * kept.width);
      const auto* begin = from + (row / kept.cells() * queries.cells() + query) * 35;
      values.insert(values.end(), begin, begin + 35);
    }
    gathered.data = values.data();
    const auto sampled =
        aggregate<TestType>({layer}, {.grid = grid, .weights = {1}, .sample = true});
    REQUIRE(sampled.rows() ==
            aggregate<TestType>({gathered}, {.grid = grid, .weights = {1}}).rows());
    if (queries == GridSize{9, 6}) {
      REQUIRE(sampled.rows() !=
              aggregate<TestType>({layer}, {.grid = grid, .weights = {1}}).rows());
    }
  }
}

TEMPLATE_TEST_CASE("sampling leaves products unmade and their maps alike", "[aggregate][law]",
                   float, double) {
  Random random(612);
  INFO(random.note());
  const GridSize fine{12, 20};
  const Index depth = 3;
  std::vector<float> queries, keys;
  for (Index i = 0; i < 2 * fine.cells() * depth; ++i) {
    queries.push_back(static_cast<float>(random.normal()));
    keys.push_back(static_cast<float>(random.normal()));
  }
  const auto products = Layer::queries_and_keys(queries.data(), keys.data(), 2, depth, fine);
  std::vector<double> attention;
  for (Index row = 0; row < 2 * fine.cells(); ++row) {
    const Index head = row / fine.cells();
    std::vector<double> line(static_cast<std::size_t>(fine.cells()));
    double sum = 0;
    for (Index key = 0; key < fine.cells(); ++key) {
      double score = 0;
      for (Index i = 0; i < depth; ++i) {
        score += static_cast<double>(queries[static_cast<std::size_t>(row * depth + i)]) *
                 static_cast<double>(
                     keys[static_cast<std::size_t>((head * fine.cells() + key) * depth + i)]);
      }
      sum += line[static_cast<std::size_t>(key)] = std::exp(score / std::sqrt(3.0));
    }
    for (const double value : line) attention.push_back(value / sum);
  }
  const Layer plain = Layer::view(attention.data(), 2, fine);
  for (const Index shrink : {1, 2, 5}) {
    const Aggregate stage{.shrink = shrink, .sample = true};
    const auto expected = aggregate<double>({plain}, stage);
    REQUIRE(worst_error(aggregate<TestType>({products}, stage), expected.rows()) < 1e-6);
  }
}

TEMPLATE_TEST_CASE("all element types are read", "[aggregate][law]", Eigen::half, Eigen::bfloat16,
                   float, double) {
  Random random(603);
  INFO(random.note());
  const Layers layers = {support::random_layer<TestType>(random, 3, {6, 9}, {6, 9}),
                         support::random_layer<TestType>(random, 3, {3, 5}, {3, 5})};
  const auto expected = plain_aggregate(layers, {6, 9}, {});
  REQUIRE(worst_error(aggregate<float>(layers), expected) < aggregate_tolerance<float>);
  REQUIRE(worst_error(aggregate<double>(layers), expected) < aggregate_tolerance<double>);
}

namespace {

/// A layer of each kind of dense attention whose rows are neither whole packets nor whole pieces of
/// a copy; queries with keys, of `Element`, in `kept`.
template <class Element>
Layers layers_of_each_kind(Random& random, std::vector<Element>& kept) {
  const GridSize grid{13, 41};
  Layers layers(4, support::random_layer<Element>(random, 3, grid, grid));
  layers[1].partial = true;
  layers[2].head_weights = {2, 0, 1};
  layers[3].kind = LayerKind::scores;
  const Index depth = 5;
  const Index heads = 2;
  kept.clear();
  for (Index i = 0; i < 2 * heads * grid.cells() * depth; ++i) {
    kept.push_back(static_cast<Element>(random.normal()));
  }
  layers.push_back(Layer::queries_and_keys(kept.data(), kept.data() + heads * grid.cells() * depth,
                                           heads, depth, grid));
  return layers;
}

}  // namespace

TEMPLATE_TEST_CASE("numbers may begin at any byte", "[aggregate][law]", Eigen::half,
                   Eigen::bfloat16, float, double) {
  Random random(609);
  INFO(random.note());
  std::vector<TestType> kept;
  for (const Layer& layer : layers_of_each_kind<TestType>(random, kept)) {
    const auto in_float = aggregate<float>({layer});
    const auto in_double = aggregate<double>({layer}, {.grid = {7, 9}});
    for (const std::size_t shift : {1U, 3U, 5U}) {
      CAPTURE(static_cast<int>(layer.kind), shift);
      const Layer moved = support::shifted(layer, shift);
      REQUIRE(support::same_bits(aggregate<float>({moved}), in_float));
      REQUIRE(support::same_bits(aggregate<double>({moved}, {.grid = {7, 9}}), in_double));
    }
  }
}

TEST_CASE("a number at any byte that is no attention is named", "[aggregate][unit]") {
  const auto text = [](const Layer& one) {
    return support::complaint([&] { static_cast<void>(aggregate<float>({one})); });
  };
  for (const std::size_t key : {5U, 390U}) {  // in the first and in the last piece of the copy
    std::vector<float> values = even(2, {20, 20});
    values[400 * 400 + 7 * 400 + key] = -0.5F;
    const Layer layer = Layer::view(values.data(), 2, {20, 20});
    REQUIRE(text(layer).find("head 1, query 7, key " + std::to_string(key)) != std::string::npos);
    REQUIRE(text(support::shifted(layer, 1)) == text(layer));
  }
}

TEMPLATE_TEST_CASE("scaling a layer changes nothing", "[aggregate][law]", float, double) {
  Random random(604);
  INFO(random.note());
  Layers layers;
  for (const GridSize size : {GridSize{6, 9}, {4, 5}, {12, 18}}) {
    layers.push_back(support::random_layer<float>(random, 2, size, size));
  }
  const auto expected = aggregate<TestType>(layers);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    Layers other = layers;
    for (const float factor : {4.0F, 0.5F, 65536.0F}) {
      other[i] = scaled(layers[i], factor);
      REQUIRE(aggregate<TestType>(other).rows() == expected.rows());
    }
    other[i] = scaled(layers[i], 3.0F);  // rounds every number once
    REQUIRE((aggregate<TestType>(other).rows() - expected.rows()).cwiseAbs().maxCoeff() <
            TestType(1e-7));
  }
}

TEMPLATE_TEST_CASE("heads and layers may come in any order", "[aggregate][law]", float, double) {
  Random random(605);
  INFO(random.note());
  Layers layers;
  for (const GridSize size : {GridSize{6, 9}, {4, 5}, {6, 9}, {2, 2}}) {
    layers.push_back(support::random_layer<float>(random, 2, size, size));
  }
  const auto expected = aggregate<TestType>(layers);
  std::reverse(layers.begin(), layers.end());
  REQUIRE((aggregate<TestType>(layers).rows() - expected.rows()).cwiseAbs().maxCoeff() <
          static_cast<TestType>(aggregate_tolerance<TestType>));
}

TEMPLATE_TEST_CASE("aggregate has the same bits for any number of threads and reuses its storage",
                   "[aggregate][law]", float, double) {
  Random random(606);
  INFO(random.note());
  Layers layers;
  for (const GridSize size : {GridSize{18, 12}, {9, 6}, {4, 5}, {20, 20}}) {
    layers.push_back(support::random_layer<float>(random, 2, size, size));
  }
  const Aggregate stage{.grid = {18, 12}};
  Maps<TestType> maps;
  {
    const ThreadLimit limit(1);
    stage(layers, maps);
  }
  const Matrix<TestType> expected = maps.rows();
  const TestType* const place = maps.rows().data();
  for (const int threads : {2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    stage(layers, maps);
    REQUIRE(maps.rows() == expected);
    REQUIRE(maps.rows().data() == place);
  }
}

TEMPLATE_TEST_CASE("zeros are raised to the floor", "[aggregate][unit]", float, double) {
  const std::vector<float> values = {1, 0, 0, 1};
  const Layers layers = {Layer::view(values.data(), 1, {1, 2})};
  const auto maps = aggregate<TestType>(layers, {.floor = 1e-20});
  REQUIRE(maps.rows()(0, 1) == static_cast<TestType>(1e-20));
  REQUIRE(std::abs(maps.rows()(0, 0) - TestType(1)) < aggregate_tolerance<TestType>);
  // A floor that shows: (1, 1e-3) / 1.001
  const auto high = aggregate<TestType>(layers, {.floor = 1e-3});
  REQUIRE(static_cast<double>(high.rows()(0, 1)) == Approx(1e-3 / 1.001).epsilon(1e-6));
  REQUIRE(static_cast<double>(high.rows().row(0).sum()) == Approx(1).epsilon(1e-6));
}

TEMPLATE_TEST_CASE("minus zero is no negative attention", "[aggregate][unit]", float, double,
                   Eigen::half, Eigen::bfloat16) {
  std::vector<TestType> values(4, TestType(0.5F));
  values[0] = TestType(-0.0F);
  const auto maps = aggregate<double>({Layer::view(values.data(), 1, {1, 2})});
  REQUIRE(maps.rows()(0, 0) == 1e-30);
}

TEMPLATE_TEST_CASE("attention that is none is refused with its place", "[aggregate]", float, double,
                   Eigen::half, Eigen::bfloat16) {
  using Traits = Eigen::NumTraits<TestType>;
  Random random(607);
  const Layer good = support::random_layer<float>(random, 1, {2, 3}, {2, 3});
  const GridSize grid{3, 4};
  const Index heads = 3, cells = grid.cells();
  for (const TestType bad : {TestType(-0.5F), Traits::quiet_NaN(), Traits::infinity(),
                             static_cast<TestType>(-Traits::infinity())}) {
    for (const Index query : {0, 7, 11}) {
      std::vector<TestType> values(static_cast<std::size_t>(heads * cells * cells),
                                   TestType(0.125F));
      values[static_cast<std::size_t>((2 * cells + query) * cells + 5)] = bad;
      const Layers layers = {good, Layer::view(values.data(), heads, grid)};
      const std::string place = " at layer 1, head 2, query " + std::to_string(query) + ", key 5";
      REQUIRE_THROWS_WITH(aggregate<float>(layers),
                          support::Contains("Aggregate: attention must be finite and >= 0") &&
                              support::Contains(place));
      REQUIRE_THROWS_AS(aggregate<double>(layers), std::invalid_argument);
    }
  }
}

TEST_CASE("the number of a query or key that is not finite is named", "[aggregate][unit]") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> good(2 * 4 * 3, 1.0F);  // 2 heads, 4 cells, depth 3
  auto bad = good;
  bad[12 + 2 * 3 + 1] = -infinity;
  const auto told = [&](const std::vector<float>& queries, const std::vector<float>& keys) {
    return support::complaint([&] {
      (void)aggregate<float>({Layer::queries_and_keys(queries.data(), keys.data(), 2, 3, {2, 2})});
    });
  };
  using support::Contains;
  REQUIRE_THAT(told(bad, good), Contains("queries and keys must be finite, got -inf") &&
                                    Contains("head 1, query 2, number 1"));
  REQUIRE_THAT(told(good, bad), Contains("queries and keys must be finite, got -inf") &&
                                    Contains("head 1, key 2, number 1"));
}

TEMPLATE_TEST_CASE("attention without a sum is refused", "[aggregate]", float, double) {
  auto values = even(2, {2, 2});
  const auto fill = [&](Index query, float value) {
    for (const Index head : {0, 1}) {
      std::fill_n(values.begin() + (head * 4 + query) * 4, 4, value);
    }
  };
  const Layers layers = {Layer::view(values.data(), 2, {2, 2})};
  using support::Contains;
  for (const float value : {0.0F, std::numeric_limits<float>::denorm_min()}) {
    fill(3, value);
    if (value > 0 && sizeof(TestType) == 8) break;  // a double divides by that
    REQUIRE_THROWS_WITH(
        aggregate<TestType>(layers),
        Contains("Aggregate: the attention of a query") && Contains("at layer 0, query 3"));
  }
  fill(3, std::numeric_limits<float>::max());
  if (sizeof(TestType) == 4) {
    REQUIRE_THROWS_WITH(aggregate<TestType>(layers), Contains("at layer 0, query 3"));
  } else {
    REQUIRE(aggregate<TestType>(layers).rows()(3, 0) == Approx(0.25));
  }
}

TEMPLATE_TEST_CASE("any attention that passes gives positive maps", "[aggregate][law]", float,
                   double) {
  Random random(608);
  INFO(random.note());
  for (const float factor : {1e-36F, 1e-39F, 1e-42F, 1e36F}) {
    const Layer layer = scaled(support::random_layer<float>(random, 1, {4, 5}, {4, 5}), factor);
    Maps<TestType> maps;
    try {
      maps = aggregate<TestType>({layer});
    } catch (const std::invalid_argument&) {
      continue;
    }
    CAPTURE(factor);
    REQUIRE(maps.rows().minCoeff() > TestType(0));
    REQUIRE(maps.rows().template cast<double>().rowwise().sum().maxCoeff() ==
            Approx(1).epsilon(1e-6));
  }
}

TEST_CASE("layers that cannot be aggregated are refused", "[aggregate]") {
  const auto values = even(2, {2, 2});
  const Layer good = Layer::view(values.data(), 2, {2, 2});
  REQUIRE_THROWS_WITH(aggregate<float>({}), "Aggregate: layers must not be empty");
  Layer bad = good;
  SECTION("no heads") {
    bad.heads = 0;
    REQUIRE_THROWS_WITH(aggregate<float>({good, bad}),
                        "Aggregate: layer 1: heads must be >= 1, got 0");
  }
  SECTION("no data") {
    bad.data = nullptr;
    REQUIRE_THROWS_WITH(aggregate<float>({bad}), "Aggregate: layer 0: data must not be null");
  }
  SECTION("no cells") {
    bad.keys = {0, 4};
    REQUIRE_THROWS_WITH(
        aggregate<float>({bad}),
        "Aggregate: layer 0: the grid of the keys must be at least 1 x 1, its cells countable, "
        "got 0 x 4");
    bad = good;
    bad.queries = {4, -1};
    REQUIRE_THROWS_AS(aggregate<float>({bad}), std::invalid_argument);
  }
  SECTION("too many cells") {
    for (const Index side : {Index{1} << 20, Index{1} << 31, Index{1} << 62}) {
      bad.queries = bad.keys = {side, side};
      REQUIRE_THROWS_AS(aggregate<float>({bad}), std::invalid_argument);
    }
  }
}

TEST_CASE("options that make no sense are refused", "[aggregate]") {
  const auto values = even(2, {2, 2});
  const Layer layer = Layer::view(values.data(), 2, {2, 2});
  const Layers layers = {layer, layer};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refused = [&](const Aggregate& stage, const std::string& text) {
    REQUIRE_THROWS_WITH(stage(layers), support::Contains(text));
    REQUIRE_THROWS_AS(stage(layers), std::invalid_argument);
  };
  refused({.weights = {1}}, "Aggregate: weights must be one per layer, got 1 for 2 layers");
  refused({.weights = {1.5, -0.5}}, "Aggregate: weights must be finite and >= 0, got -0.5");
  refused({.weights = {nan, 1}}, "Aggregate: weights must be finite and >= 0");
  refused({.weights = {std::numeric_limits<double>::infinity(), 0}},
          "Aggregate: weights must be finite and >= 0");
  refused({.weights = {0.5, 0.6}}, "Aggregate: weights must sum to 1, got 1.1");
  refused({.weights = {0, 0}}, "Aggregate: weights must sum to 1, got 0");
  refused({.grid = {64, 0}}, "Aggregate: the grid must be at least 1 x 1");
  refused({.grid = {-3, 5}}, "Aggregate: the grid must be at least 1 x 1");
  refused({.grid = {Index{1} << 31, Index{1} << 31}}, "sizes must multiply without overflow");
  refused({.grid = {Index{1} << 40, Index{1} << 40}}, "sizes must multiply without overflow");
  refused({.grid = {Index{1} << 31, 1}}, "sizes must multiply without overflow");
  refused({.floor = 0}, "Aggregate: floor must be in [1e-37, 1e-3], got 0");
  refused({.floor = 0.01}, "Aggregate: floor must be in [1e-37, 1e-3], got 0.01");
  refused({.floor = nan}, "Aggregate: floor must be in [1e-37, 1e-3]");
  refused({.shrink = 0}, "Aggregate: shrink must be >= 1, got 0");
  refused({.shrink = -2}, "Aggregate: shrink must be >= 1, got -2");
  refused({.grid = {2, 2}, .shrink = 2}, "Aggregate: shrink must be 1 beside a grid, got 2");
}

TEMPLATE_TEST_CASE("a refused call leaves the result as it was", "[aggregate]", float, double) {
  Random random(609);
  const Layers good = {support::random_layer<float>(random, 1, {3, 4}, {3, 4})};
  auto maps = aggregate<TestType>(good);
  const Matrix<TestType> before = maps.rows();
  REQUIRE_THROWS_AS(Aggregate{}(Layers{}, maps), std::invalid_argument);
  REQUIRE_THROWS_AS((Aggregate{.weights = {2}}(good, maps)), std::invalid_argument);
  REQUIRE(maps.rows() == before);
}
