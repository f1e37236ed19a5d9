// SPDX-License-Identifier: MIT
// Sparse layers through Aggregate, AggregateStream and AggregateCross: what their dense rows give.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <diffseg/attention/aggregate.hpp>
#include <diffseg/attention/aggregate_cross.hpp>
#include <diffseg/attention/aggregate_stream.hpp>
#include <diffseg/attention/downsample.hpp>
#include <diffseg/attention/layer_parts.hpp>
#include <diffseg/attention/sparse_layer.hpp>
#include <diffseg/attention/top_k.hpp>
#include <diffseg/core/parallel.hpp>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/aggregate.hpp"
#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"
#include "support/same.hpp"
#include "support/shifted.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::aggregate;
using support::complaint;
using support::Contains;
using support::Random;
using support::random_layer;
using support::same_bits;
using support::tolerance;
using support::worst;

namespace {

/// The dense rows that a sparse layer stands for, in double.
Layer dense_of(const Layer& layer) {
  const Index keys = layer.keys.cells();
  const Index rows = layer.heads * layer.queries.cells();
  std::vector<double> all(static_cast<std::size_t>(rows * keys), 0.0);
  const bool wide = layer.column_type == Layer::Columns::i64;
  const auto column = [&](Index at) {
    return wide ? static_cast<const std::int64_t*>(layer.columns)[at]
                : std::int64_t{static_cast<const std::int32_t*>(layer.columns)[at]};
  };
  for (Index row = 0; row < rows; ++row) {
    const Index begin = layer.row_starts[row], end = layer.row_starts[row + 1];
    const auto value = [&](Index at) { return number_at(layer.type, layer.data, at); };
    double* out = all.data() + row * keys;
    double sum = 0;
    for (Index i = begin; i < end; ++i) sum += value(i);
    const auto missing = static_cast<double>(keys - (end - begin));
    if (layer.spread_rest) std::fill_n(out, keys, std::max(0.0, 1 - sum) / missing);
    for (Index i = begin; i < end; ++i) out[column(i)] = value(i);
  }
  Layer result = Layer::owning(std::move(all), layer.heads, layer.queries, layer.keys);
  result.partial = layer.partial;
  result.head_weights = layer.head_weights;
  return result;
}

/// The entries of every row in another order, with wider columns.
Layer shuffled(const Layer& layer, Random& random) {
  const Index rows = layer.heads * layer.queries.cells();
  std::vector<Index> starts(layer.row_starts, layer.row_starts + rows + 1);
  const auto* from = static_cast<const float*>(layer.data);
  const auto* keys = static_cast<const std::int32_t*>(layer.columns);
  std::vector<float> values(from, from + starts.back());
  std::vector<std::int64_t> columns(keys, keys + starts.back());
  for (Index row = 0; row < rows; ++row) {
    const Index begin = starts[static_cast<std::size_t>(row)];
    const Index end = starts[static_cast<std::size_t>(row) + 1];
    for (Index i = begin; i < end; ++i) {
      const auto one = static_cast<std::size_t>(i);
      const auto other = static_cast<std::size_t>(random.integer(begin, end - 1));
      std::swap(values[one], values[other]);
      std::swap(columns[one], columns[other]);
    }
  }
  Layer result = Layer::owning(std::move(values), std::move(columns), std::move(starts),
                               layer.heads, layer.queries, layer.keys);
  return result;
}

}  // namespace

TEST_CASE("one sparse query of two heads by hand", "[aggregate][unit]") {
  // Heads [0.5, 0, 0] and [0, 0, 0.75] of query 0; all others hold key 1 alone.
  const std::vector<float> values = {0.5F, 1, 1, 0.75F, 1, 1};
  const std::vector<std::int32_t> columns = {0, 1, 1, 2, 1, 1};
  Layer layer = sparse_layer(values.data(), columns.data(), 1, 2, {1, 3});
  Matrix<double> expected(3, 3);
  expected << 0.4, 0, 0.6, 0, 1, 0, 0, 1, 0;
  REQUIRE(worst(aggregate<double>({layer}).rows(), expected) < 1e-15);
  layer.partial = true;  // 0.5 and 0.75 are parts of wholes
  expected.row(0) << 0.5, 0, 0.5;
  REQUIRE(worst(aggregate<double>({layer}).rows(), expected) < 1e-15);
  layer.partial = false;
  layer.spread_rest = true;  // [0.5, 0.25, 0.25] and [0.125, 0.125, 0.75]
  expected.row(0) << 0.3125, 0.1875, 0.5;
  REQUIRE(worst(aggregate<double>({layer}).rows(), expected) < 1e-15);
  layer.head_weights = {3, 1};
  expected.row(0) << 0.40625, 0.21875, 0.375;
  REQUIRE(worst(aggregate<double>({layer}).rows(), expected) < 1e-15);
}

TEMPLATE_TEST_CASE("a sparse layer that stores all it has gives the bits of the dense one",
                   "[aggregate][law]", float, double, Eigen::half, Eigen::bfloat16) {
  Random random(8201);
  INFO(random.note());
  for (int round = 0; round < 8; ++round) {
    const GridSize grid = random.grid(1, 9);
    Layer dense = random_layer<TestType>(random, random.integer(1, 5), grid, random.grid(1, 9));
    if (round % 2 == 1) {
      for (Index i = 0; i < dense.heads; ++i) dense.head_weights.push_back(0.5 + random.uniform());
    }
    Layer sparse = top_k(dense, dense.keys.cells());
    sparse.spread_rest = round % 4 < 2;  // nothing is left to spread
    const Aggregate stage{.grid = random.grid(1, 10)};
    REQUIRE(same_bits(aggregate<float>({sparse}, stage), aggregate<float>({dense}, stage)));
    REQUIRE(same_bits(aggregate<double>({sparse}, stage), aggregate<double>({dense}, stage)));
  }
}

TEMPLATE_TEST_CASE("sparse layers give the maps of their dense rows", "[aggregate][law]", float,
                   double) {
  Random random(8202);
  INFO(random.note());
  for (int round = 0; round < 24; ++round) {
    const GridSize keys = random.grid(2, 9);
    const Layer dense = random_layer<TestType>(random, random.integer(1, 4), random.grid(1, 9),
                                               keys, random.uniform(0.5, 3));
    const bool by_mass = round % 2 == 0;
    Layer sparse = by_mass ? keep_mass(dense, random.uniform(0.3, 1))
                           : top_k(dense, random.integer(1, keys.cells() - 1));
    sparse.partial = round % 3 == 0;
    sparse.spread_rest = round % 3 == 1;
    if (round % 4 > 1) {
      for (Index i = 0; i < dense.heads; ++i) sparse.head_weights.push_back(i == 0 ? 1 : 0.5);
    }
    const Aggregate stage{.grid = random.grid(1, 10)};
    const auto expected = aggregate<double>({dense_of(sparse)}, stage);
    const auto maps = aggregate<TestType>({sparse}, stage);
    REQUIRE(worst(maps.rows().template cast<double>(), expected.rows()) < tolerance<TestType>);
  }
}

TEST_CASE("the order of the entries does not matter", "[aggregate][law]") {
  Random random(8203);
  INFO(random.note());
  const Layer dense = random_layer<float>(random, 3, {6, 5}, {7, 8}, 2);
  const Layer sparse = top_k(dense, 17);
  REQUIRE(same_bits(aggregate<float>({shuffled(sparse, random)}), aggregate<float>({sparse})));
}

TEMPLATE_TEST_CASE("sparse layers have the same bits one by one and for all threads",
                   "[aggregator][law]", float, double) {
  Random random(8204);
  INFO(random.note());
  const GridSize grid{8, 6};
  Layers layers;
  for (const GridSize side : {grid, GridSize{4, 3}, grid, GridSize{10, 9}}) {
    const Layer dense = random_layer<float>(random, 2 * random.integer(1, 2), side, side, 2);
    layers.push_back(top_k(dense, random.integer(1, 12)));
    layers.back().spread_rest = layers.size() % 2 == 1;
    layers.push_back(conditional_half(layers.back()));
    layers.push_back(dense);
  }
  const auto expected = aggregate<TestType>(layers, {.grid = grid});
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    AggregateStream<TestType> aggregator(grid);
    for (const Layer& layer : layers) aggregator.add(layer);
    REQUIRE(same_bits(aggregator.finish(), expected));
    REQUIRE(same_bits(aggregate<TestType>(layers, {.grid = grid}), expected));
  }
}

TEST_CASE("numbers of a sparse layer may begin at any byte", "[aggregate][law]") {
  Random random(620);
  INFO(random.note());
  const Layer layer = top_k(support::random_layer<float>(random, 2, {9, 8}, {9, 8}), 20);
  const auto expected = aggregate<float>({layer});
  REQUIRE(same_bits(aggregate<float>({support::shifted(layer, 1)}), expected));
  REQUIRE(same_bits(aggregate<double>({support::shifted(layer, 2)}), aggregate<double>({layer})));
}

TEST_CASE("selected heads of a sparse layer are those of the dense one", "[aggregate][law]") {
  Random random(8205);
  INFO(random.note());
  const Layer dense = random_layer<float>(random, 5, {4, 5}, {4, 5});
  const Layer sparse = top_k(dense, 20);
  REQUIRE(same_bits(aggregate<float>({select_heads(sparse, 2, 2)}),
                    aggregate<float>({select_heads(dense, 2, 2)})));
}

TEST_CASE("cross-attention may be sparse", "[aggregate_cross][law]") {
  Random random(8206);
  INFO(random.note());
  const Layer dense = random_layer<float>(random, 3, {6, 4}, {1, 9}, 2);
  const AggregateCross stage{.size = {13, 11}, .tokens = {1, 4}};
  const auto all = stage({top_k(dense, 9)});
  REQUIRE(all.values == stage({dense}).values);
  const Layer few = top_k(dense, 5);
  const auto expected = stage({dense_of(few)});
  REQUIRE((stage({few}).values - expected.values).cwiseAbs().maxCoeff() < 2e-6F);
}

TEST_CASE("sparse rows that are no attention are refused by name", "[aggregate][unit]") {
  std::vector<float> values = {0.5F, 0.5F, 0.5F, 0.5F, 0.5F, 0.5F, 0.5F, 0.5F};
  std::vector<std::int32_t> columns = {0, 1, 0, 1, 0, 1, 0, 1};
  const Layer layer = sparse_layer(values.data(), columns.data(), 2, 2, {1, 2});
  const auto text = [&] { return complaint([&] { (void)aggregate<float>({layer, layer}); }); };
  REQUIRE(text() == "no error");
  for (const std::int32_t key : {-1, 2}) {
    columns[7] = key;
    REQUIRE_THAT(text(), Contains("keys in 0 .. 1, got " + std::to_string(key) +
                                  " at layer 0, head 1, query 1"));
  }
  columns[7] = 0;
  REQUIRE_THAT(text(), Contains("each key once, got it again at layer 0, head 1, query 1, key 0"));
  columns[6] = 1;  // 1, 0: not ascending, but sound
  REQUIRE(text() == "no error");
  for (const float bad :
       {-0.5F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    values[3] = bad;
    REQUIRE_THAT(text(), Contains("at layer 0, head 0, query 1, key 1"));
  }
  values[3] = 2.5F;  // large, but sound
  REQUIRE(text() == "no error");
  values[3] = values[2] = values[6] = values[7] = 0;
  REQUIRE_THAT(text(), Contains("positive finite sum"));
}

TEST_CASE("rows whose rest is spread must not hold more than the whole", "[aggregate][unit]") {
  std::vector<float> values = {0.5F, 1.0F};
  const std::vector<std::int32_t> columns = {0, 1};
  Layer layer = sparse_layer(values.data(), columns.data(), 1, 1, {1, 2});
  layer.spread_rest = true;
  REQUIRE_NOTHROW(aggregate<float>({layer}));
  values[1] = 1.005F;  // half precision rounds so
  REQUIRE_NOTHROW(aggregate<float>({layer}));
  values[1] = 1.25F;
  REQUIRE_THAT(complaint([&] { (void)aggregate<float>({layer}); }),
               Contains("at most 1 (to 1 %), got 1.25 at layer 0, head 0, query 1"));
}

TEST_CASE("Downsample leaves sparse layers to Aggregate", "[downsample][unit]") {
  Random random(8207);
  const Layer sparse = top_k(random_layer<float>(random, 1, {6, 6}, {6, 6}), 4);
  REQUIRE_THAT(complaint([&] {
                 (void)Downsample{{3, 3}}(Layers{sparse});
               }),
               Contains("sparse rows to Aggregate"));
  REQUIRE(Downsample{{6, 6}}(Layers{sparse})[0].data == sparse.data);
}
