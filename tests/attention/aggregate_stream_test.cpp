// SPDX-License-Identifier: MIT
// Layers of every kind through Aggregate and AggregateStream: all give what plain probabilities
// give.
#include <algorithm>
#include <cmath>
#include <diffseg/attention/aggregate.hpp>
#include <diffseg/attention/aggregate_stream.hpp>
#include <diffseg/attention/layer_parts.hpp>
#include <diffseg/attention/top_k.hpp>
#include <diffseg/core/parallel.hpp>
#include <limits>
#include <stdexcept>
#include <vector>

#include "support/aggregate.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/same.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::aggregate;
using support::Random;
using support::random_layer;
using support::same_bits;
using support::tolerance;
using support::worst;

namespace {

template <class Element>
std::vector<Element> normal_numbers(Random& random, Index count, double deviation) {
  std::vector<Element> numbers(static_cast<std::size_t>(count));
  for (Element& number : numbers) number = static_cast<Element>(deviation * random.normal());
  return numbers;
}

/// What queries and keys, or scores, stand for, in double, step by step.
Layer probabilities_of(const Layer& layer) {
  const Index queries = layer.queries.cells();
  const Index keys = layer.keys.cells();
  std::vector<double> all;
  const auto number = [&](const void* data, Index at) { return number_at(layer.type, data, at); };
  for (Index head = 0; head < layer.heads; ++head) {
    for (Index query = 0; query < queries; ++query) {
      std::vector<double> row(static_cast<std::size_t>(keys), 0.0);
      const Index from = head * layer.head_step() + query * layer.query_step();
      for (Index key = 0; key < keys; ++key) {
        double& score = row[static_cast<std::size_t>(key)];
        if (layer.kind == LayerKind::scores) score = number(layer.data, from + key);
        const Index other = head * layer.key_head_step() + key * layer.key_step();
        for (Index i = 0; i < layer.depth; ++i) {
          score += layer.scale * number(layer.data, from + i) * number(layer.key_data, other + i);
        }
      }
      const double most = *std::max_element(row.begin(), row.end());
      double sum = 0;
      for (double& score : row) sum += score = std::exp(score - most);
      for (const double value : row) all.push_back(value / sum);
    }
  }
  Layer result = Layer::owning(std::move(all), layer.heads, layer.queries, layer.keys);
  result.head_weights = layer.head_weights;
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("one query and two keys by hand", "[aggregate][unit]", float, double) {
  // Scores 0 and ln 3: probabilities 1/4 and 3/4.
  const auto log3 = static_cast<TestType>(std::log(3.0));
  const std::vector<TestType> scores = {0, log3, log3, 0};
  Layer layer = Layer::view(scores.data(), 1, {1, 2});
  layer.kind = LayerKind::scores;
  Matrix<double> expected(2, 2);
  expected << 0.25, 0.75, 0.75, 0.25;
  REQUIRE(worst(aggregate<TestType>({layer}).rows().template cast<double>(), expected) <
          tolerance<TestType>);

  // Queries 1 and -1 against keys 0 and 2, scale ln 3 / 2: scores 0, ln 3 and 0, -ln 3.
  const std::vector<TestType> queries = {1, -1}, keys = {0, 2};
  Layer products = Layer::queries_and_keys(queries.data(), keys.data(), 1, 1, {1, 2});
  products.scale = std::log(3.0) / 2;
  expected << 0.25, 0.75, 0.75, 0.25;
  REQUIRE(worst(aggregate<TestType>({products}).rows().template cast<double>(), expected) <
          tolerance<TestType>);
}

TEMPLATE_TEST_CASE("queries and keys give the maps of their attention", "[aggregate][law]", float,
                   double) {
  Random random(7001);
  INFO(random.note());
  for (int round = 0; round < 12; ++round) {
    const GridSize queries = random.grid(1, 9), keys = random.grid(1, 9);
    const Index heads = random.integer(1, 4), depth = random.integer(1, 19);
    // Every head and row a little apart from the next.
    const Index row = depth + random.integer(0, 3), key_row = depth + random.integer(0, 3);
    const auto q = normal_numbers<TestType>(random, heads * queries.cells() * row, 1.5);
    const auto k = normal_numbers<TestType>(random, heads * keys.cells() * key_row, 1.5);
    Layer layer = Layer::queries_and_keys(q.data(), k.data(), heads, depth, queries);
    layer.keys = keys;
    layer.row_stride = row;
    layer.key_row_stride = key_row;
    layer.scale = random.uniform(0.2, 1.5);
    for (Index i = 0; round % 2 == 1 && i < heads; ++i) {
      layer.head_weights.push_back(i == 0 ? 1 : random.uniform());
    }
    const GridSize grid = random.grid(1, 10);
    const auto maps = aggregate<TestType>({layer}, {.grid = grid});
    const auto expected = aggregate<double>({probabilities_of(layer)}, {.grid = grid});
    REQUIRE(worst(maps.rows().template cast<double>(), expected.rows()) < tolerance<TestType>);
  }
}

TEMPLATE_TEST_CASE("queries and keys may have scores beyond what exp can hold", "[aggregate][law]",
                   float, double) {
  Random random(7101);
  INFO(random.note());
  // Whole numbers: no score rounds, up to 1200.
  std::vector<TestType> q(2 * 30 * 3), k(2 * 30 * 3);
  for (TestType& number : q) number = static_cast<TestType>(random.integer(-20, 20));
  for (TestType& number : k) number = static_cast<TestType>(random.integer(-20, 20));
  Layer layer = Layer::queries_and_keys(q.data(), k.data(), 2, 3, {5, 6});
  layer.scale = 1;
  const auto expected = aggregate<double>({probabilities_of(layer)});
  REQUIRE(worst(aggregate<TestType>({layer}).rows().template cast<double>(), expected.rows()) <
          tolerance<TestType>);
}

TEST_CASE("a layer of weight 0 is not looked at", "[aggregate][unit]") {
  Random random(7102);
  const Layer layer = random_layer<float>(random, 1, {3, 3}, {3, 3});
  const std::vector<float> bad(9 * 2, std::numeric_limits<float>::quiet_NaN());
  const Layer ignored = Layer::queries_and_keys(bad.data(), bad.data(), 1, 2, {3, 3});
  REQUIRE(same_bits(aggregate<float>({layer, ignored}, {.weights = {1, 0}}),
                    aggregate<float>({layer}, {.weights = {1}})));
}

TEST_CASE("half precision queries and keys are converted as they are read", "[aggregate][law]") {
  Random random(7002);
  INFO(random.note());
  const auto q = normal_numbers<Eigen::half>(random, 2 * 30 * 7, 1);
  const auto k = normal_numbers<Eigen::half>(random, 2 * 30 * 7, 1);
  Layer layer = Layer::queries_and_keys(q.data(), k.data(), 2, 7, {5, 6});
  layer.scale = 0.7;
  const auto expected = aggregate<double>({probabilities_of(layer)});
  REQUIRE(worst(aggregate<float>({layer}).rows().cast<double>(), expected.rows()) < 1e-6);
}

TEMPLATE_TEST_CASE("scores give the maps of their soft-max however large", "[aggregate][law]",
                   float, double) {
  Random random(7003);
  INFO(random.note());
  for (const double deviation : {1.0, 30.0, 1000.0}) {
    const GridSize grid = random.grid(2, 8);
    auto scores = normal_numbers<TestType>(random, 3 * grid.cells() * grid.cells(), deviation);
    scores[1] = -std::numeric_limits<TestType>::infinity();  // masked out
    Layer layer = Layer::view(scores.data(), 3, grid);
    layer.kind = LayerKind::scores;
    const auto expected = aggregate<double>({probabilities_of(layer)});
    REQUIRE(worst(aggregate<TestType>({layer}).rows().template cast<double>(), expected.rows()) <
            tolerance<TestType>);
  }
}

TEMPLATE_TEST_CASE("tokens of a longer sequence are scaled head by head", "[aggregate][law]", float,
                   double) {
  Random random(7004);
  INFO(random.note());
  const Index tokens = 4 + 30 + 5;
  const Layer whole = random_layer<TestType>(random, 3, {1, tokens}, {1, tokens}, 2);
  const GridSize grid{5, 6};
  std::vector<double> part;
  const auto* data = static_cast<const TestType*>(whole.data);
  for (Index head = 0; head < 3; ++head) {
    for (Index query = 0; query < 30; ++query) {
      const TestType* row = data + (head * tokens + 4 + query) * tokens + 4;
      double sum = 0;
      for (Index i = 0; i < 30; ++i) sum += static_cast<double>(row[i]);
      for (Index i = 0; i < 30; ++i) part.push_back(static_cast<double>(row[i]) / sum);
    }
  }
  const auto expected = aggregate<double>({Layer::owning(std::move(part), 3, grid)});
  const auto maps = aggregate<TestType>({select_tokens(whole, 4, grid)});
  REQUIRE(worst(maps.rows().template cast<double>(), expected.rows()) < tolerance<TestType>);
}

TEMPLATE_TEST_CASE("skipping tokens is the same for probabilities and scores and queries with keys",
                   "[aggregate][law]", float, double) {
  Random random(7007);
  INFO(random.note());
  const GridSize grid{5, 6};
  constexpr Index heads = 3, tokens = 37, depth = 5;
  const SkipTokens skip{.first = 2, .last = 3, .ranges = {{11, 13}}};
  std::vector<Index> left;
  for (Index token = 2; token < 34; ++token) {
    if (token < 11 || token >= 13) left.push_back(token);
  }
  const auto q = normal_numbers<TestType>(random, heads * tokens * depth, 1);
  const auto k = normal_numbers<TestType>(random, heads * tokens * depth, 1);
  std::vector<TestType> scores, cut;  // of all tokens, and of those that are left
  for (Index head = 0; head < heads; ++head) {
    using Map = Eigen::Map<const Matrix<TestType>>;
    const Map queries(q.data() + head * tokens * depth, tokens, depth);
    const Map keys(k.data() + head * tokens * depth, tokens, depth);
    const Matrix<TestType> all = queries * keys.transpose();
    scores.insert(scores.end(), all.data(), all.data() + all.size());
    const Matrix<TestType> some = all(left, left);
    cut.insert(cut.end(), some.data(), some.data() + some.size());
  }
  Layer expected = Layer::owning(std::move(cut), heads, grid);
  expected.kind = LayerKind::scores;
  const auto maps = aggregate<double>({probabilities_of(expected)});

  Layer scored = Layer::owning(std::move(scores), heads, {1, tokens});
  scored.kind = LayerKind::scores;
  Layer products = Layer::queries_and_keys(q.data(), k.data(), heads, depth, {1, tokens});
  products.scale = 1;
  const Layer whole = probabilities_of(scored);
  for (const Layer& layer : {whole, scored, products}) {
    const Layer image = skip_tokens(layer, skip, grid);
    const auto one = [&] {
      const ThreadLimit limit(1);
      return aggregate<TestType>({image});
    }();
    REQUIRE(worst(one.rows().template cast<double>(), maps.rows()) < tolerance<TestType>);
    for (const int threads : {2, 3, 4, 8}) {
      const ThreadLimit limit(threads);
      REQUIRE(same_bits(aggregate<TestType>({image}), one));
    }
  }
}

TEST_CASE("skipping tokens of sparse rows is skipping those of the dense rows they stand for",
          "[aggregate][law]") {
  Random random(7008);
  INFO(random.note());
  const GridSize grid{4, 5};
  constexpr Index heads = 2, tokens = 26;
  const SkipTokens skip{.first = 1, .last = 2, .ranges = {{9, 12}}};
  const Layer whole = random_layer<float>(random, heads, {1, tokens}, {1, tokens}, 2);
  for (const bool spread : {false, true}) {
    for (const Index count : {Index{7}, tokens}) {
      Layer sparse = top_k(whole, count);
      sparse.spread_rest = spread;
      std::vector<double> rows(static_cast<std::size_t>(heads * tokens * tokens), 0.0);
      for (Index row = 0; row < heads * tokens; ++row) {
        double* const out = rows.data() + row * tokens;
        double rest = 1;
        for (Index i = sparse.row_starts[row]; i < sparse.row_starts[row + 1]; ++i) {
          const auto* const columns = static_cast<const std::int32_t*>(sparse.columns);
          rest -= out[columns[i]] = number_at(sparse.type, sparse.data, i);
        }
        for (Index key = 0; spread && count < tokens && key < tokens; ++key) {
          if (out[key] == 0) out[key] = rest / static_cast<double>(tokens - count);
        }
      }
      const Layer dense = Layer::owning(std::move(rows), heads, {1, tokens});
      const auto expected = aggregate<double>({skip_tokens(dense, skip, grid)});
      const Layer image = skip_tokens(sparse, skip, grid);
      const auto one = [&] {
        const ThreadLimit limit(1);
        return aggregate<double>({image});
      }();
      REQUIRE(worst(one.rows(), expected.rows()) < 1e-7);  // stored as floats
      for (const int threads : {2, 3, 4, 8}) {
        const ThreadLimit limit(threads);
        REQUIRE(same_bits(aggregate<double>({skip_tokens(sparse, skip, grid)}), one));
      }
    }
  }
}

TEST_CASE("a weight of a head counts it as often", "[aggregate][law]") {
  Random random(7005);
  INFO(random.note());
  const Layer layer = random_layer<float>(random, 3, {4, 5}, {4, 5});
  Layer weighted = layer;
  weighted.head_weights = {0, 2, 0};
  const auto one = aggregate<float>({select_heads(layer, 1, 1)});
  REQUIRE(worst(aggregate<float>({weighted}).rows().cast<double>(), one.rows().cast<double>()) <
          1e-6);
}

TEMPLATE_TEST_CASE("AggregateStream gives the bits of Aggregate", "[aggregator][law][long]", float,
                   double) {
  Random random(7006);
  INFO(random.note());
  const GridSize grid{8, 6};
  const auto q = normal_numbers<float>(random, 2 * 48 * 5, 1);
  for (int round = 0; round < 8; ++round) {
    Layers layers;
    const Index count = random.integer(1, 6);
    for (Index i = 0; i < count; ++i) {
      // Grids come back, finer and coarser than the working one.
      const GridSize side = std::vector<GridSize>{
          grid, {4, 3}, {2, 3}, {10, 9}}[static_cast<std::size_t>(random.integer(0, 3))];
      layers.push_back(random_layer<float>(random, random.integer(1, 3), side, side));
      if (random.integer(0, 3) == 0) layers.back().kind = LayerKind::scores;
    }
    if (round % 2 == 1) {
      layers.push_back(Layer::queries_and_keys(q.data(), q.data(), 2, 5, grid));
    }
    for (const bool given : {false, true}) {
      Aggregate stage{.grid = grid};
      if (given) stage.weights.assign(layers.size(), 1 / static_cast<double>(layers.size()));
      const auto expected = aggregate<TestType>(layers, stage);
      for (const int threads : {1, 2, 3, 8}) {
        const ThreadLimit limit(threads);
        AggregateStream<TestType> aggregator(grid);
        for (const Layer& layer : layers) {
          if (given) aggregator.add(layer, stage.weights.front());
          if (!given) aggregator.add(layer);
        }
        REQUIRE(same_bits(aggregator.finish(), expected));
        REQUIRE(aggregator.count() == 0);  // ready for the next image
        REQUIRE(same_bits(aggregate<TestType>(layers, stage), expected));
      }
    }
  }
}

TEST_CASE("a stream over images writes into the maps it is given", "[aggregator][unit]") {
  Random random(7008);
  AggregateStream<float> stream({5, 4});
  Maps<float> maps;
  std::vector<const float*> places;
  for (int image = 0; image < 4; ++image) {
    const Layer layer = random_layer<float>(random, 2, {5, 4}, {5, 4});
    stream.add(layer);
    stream.finish(maps);
    places.push_back(maps.rows().data());
    REQUIRE(same_bits(maps, aggregate<float>({layer})));
  }
  REQUIRE(places[0] != places[1]);  // one is read while the other is written
  REQUIRE(places[2] == places[0]);
  REQUIRE(places[3] == places[1]);
}

TEST_CASE("a stream that is cleared begins anew", "[aggregator][unit]") {
  Random random(7009);
  const Layer layer = random_layer<float>(random, 1, {3, 3}, {3, 3});
  const std::vector<float> bad(81, -1.0F);
  AggregateStream<float> stream({3, 3});
  stream.add(random_layer<float>(random, 1, {3, 3}, {3, 3}), 0.25);
  REQUIRE_THROWS_AS(stream.add(Layer::view(bad.data(), 1, {3, 3}), 0.75), std::invalid_argument);
  stream.clear();
  REQUIRE(stream.count() == 0);
  stream.add(layer);
  REQUIRE(same_bits(stream.finish(), aggregate<float>({layer})));
}

TEST_CASE("layers of every kind that hold no attention are refused", "[aggregate][unit]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, infinity, -infinity}) {
    std::vector<float> numbers(2 * 4 * 3, 0.5F);
    numbers[13] = bad;
    const Layer products = Layer::queries_and_keys(numbers.data(), numbers.data(), 2, 3, {2, 2});
    REQUIRE_THROWS_AS(aggregate<float>({products}), std::invalid_argument);
    std::vector<float> scores(16, 0.5F);
    scores[5] = bad;
    Layer layer = Layer::view(scores.data(), 1, {2, 2});
    layer.kind = LayerKind::scores;
    if (bad != -infinity) {
      REQUIRE_THROWS_AS(aggregate<float>({layer}), std::invalid_argument);
    } else {
      REQUIRE_NOTHROW(aggregate<float>({layer}));
      std::fill_n(scores.begin() + 4, 4, bad);  // nothing is left of a row
      REQUIRE_THROWS_AS(aggregate<float>({layer}), std::invalid_argument);
    }
  }
  // Scores that overflow.
  const std::vector<float> large(2 * 4 * 3, 1e30F);
  REQUIRE_THROWS_AS(
      aggregate<float>({Layer::queries_and_keys(large.data(), large.data(), 2, 3, {2, 2})}),
      std::invalid_argument);
}

TEST_CASE("AggregateStream refuses misuse and does not go on after it", "[aggregator][unit]") {
  REQUIRE_THROWS_AS(AggregateStream<float>({0, 4}), std::invalid_argument);
  REQUIRE_THROWS_AS(AggregateStream<float>({4, 4}, 0), std::invalid_argument);
  Random random(7007);
  const Layer layer = random_layer<float>(random, 1, {3, 3}, {3, 3});
  AggregateStream<float> aggregator({3, 3});
  REQUIRE_THROWS_AS(aggregator.finish(), std::invalid_argument);
  aggregator.add(layer, 0.5);
  REQUIRE_THROWS_AS(aggregator.add(layer), std::invalid_argument);
  REQUIRE_THROWS_AS(aggregator.add(layer, -1), std::invalid_argument);
  REQUIRE_THROWS_AS(aggregator.finish(), std::invalid_argument);  // 0.5 is not 1
  aggregator.add(layer, 0.5);
  REQUIRE_NOTHROW(aggregator.finish());
  std::vector<float> bad(81, -1.0F);
  REQUIRE_THROWS_AS(aggregator.add(Layer::view(bad.data(), 1, {3, 3})), std::invalid_argument);
  REQUIRE_THROWS_AS(aggregator.add(layer), std::invalid_argument);
  REQUIRE_THROWS_AS(aggregator.finish(), std::invalid_argument);
}
