// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <diffseg/attention/layer_parts.hpp>
#include <diffseg/attention/top_k.hpp>
#include <diffseg/core/parallel.hpp>
#include <limits>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"
#include "support/shifted.hpp"
#include "support/sparse.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::complaint;
using support::Contains;
using support::Random;
using support::random_layer;
using support::starts_of;

namespace {

std::vector<std::int32_t> columns_of(const Layer& layer) {
  const auto* columns = static_cast<const std::int32_t*>(layer.columns);
  return {columns, columns + starts_of(layer).back()};
}

template <class Element>
std::vector<Element> values_of(const Layer& layer) {
  const auto* values = static_cast<const Element*>(layer.data);
  return {values, values + starts_of(layer).back()};
}

/// The keys of one row, the largest number first, of equals the lowest key first.
template <class Element>
std::vector<std::int32_t> sorted_keys(const Element* row, Index keys) {
  std::vector<std::int32_t> order;
  for (Index key = 0; key < keys; ++key) order.push_back(static_cast<std::int32_t>(key));
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return static_cast<double>(row[a]) > static_cast<double>(row[b]);
  });
  return order;
}

bool same(const Layer& a, const Layer& b) {
  return starts_of(a) == starts_of(b) && columns_of(a) == columns_of(b) &&
         std::memcmp(a.data, b.data,
                     static_cast<std::size_t>(starts_of(a).back() * element_bytes(a.type))) == 0;
}

}  // namespace

TEST_CASE("the largest numbers of a row by hand", "[top_k][unit]") {
  const std::vector<float> row = {0.125F, 0.25F, 0, 0.25F, 0.125F, 0.25F};
  const Layer layer = Layer::view(row.data(), 1, {1, 1}).over_tokens(6);
  REQUIRE(columns_of(top_k(layer, 1)) == std::vector<std::int32_t>{1});
  REQUIRE(columns_of(top_k(layer, 4)) == std::vector<std::int32_t>{0, 1, 3, 5});
  REQUIRE(values_of<float>(top_k(layer, 4)) == std::vector<float>{0.125F, 0.25F, 0.25F, 0.25F});
  REQUIRE(columns_of(top_k(layer, 6)) == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5});
  // 0.25 and 0.5 of the mass, a little more than that, and all but the zero.
  REQUIRE(columns_of(keep_mass(layer, 0.25)) == std::vector<std::int32_t>{1});
  REQUIRE(columns_of(keep_mass(layer, 0.5)) == std::vector<std::int32_t>{1, 3});
  REQUIRE(columns_of(keep_mass(layer, 0.76)) == std::vector<std::int32_t>{0, 1, 3, 5});
  REQUIRE(columns_of(keep_mass(layer, 1)) == std::vector<std::int32_t>{0, 1, 3, 4, 5});
}

TEST_CASE("rows of any scale have largest numbers", "[top_k][unit]") {
  constexpr float huge = std::numeric_limits<float>::max();
  const std::vector<float> rows = {huge, 0, huge, huge, 0, 0,      0, 0,
                                   0,    0, 0,    0,    0, 1e-36F, 0, 2e-36F};
  const Layer layer = Layer::view(rows.data(), 1, {2, 1}).over_tokens(8);
  REQUIRE(columns_of(top_k(layer, 2)) == std::vector<std::int32_t>{0, 2, 5, 7});
  REQUIRE(columns_of(top_k(layer, 4)) == std::vector<std::int32_t>{0, 1, 2, 3, 0, 1, 5, 7});
}

TEST_CASE("rows of zeros and of subnormal numbers have largest numbers", "[top_k][unit]") {
  constexpr Index keys = 100;
  std::vector<float> rows(3 * keys, 0);
  for (std::size_t i = 0; i < 2 * keys; ++i) rows[keys + i] = 1e-41F;
  rows[2 * keys + 50] = 1e-3F;
  const Layer layer = Layer::view(rows.data(), 1, {3, 1}).over_tokens(keys);
  for (const Index k : {1, 2, 60, 100}) {
    const auto columns = columns_of(top_k(layer, k));
    REQUIRE(static_cast<Index>(columns.size()) == 3 * k);
    for (Index key = 0; key < 2 * k; ++key) {
      REQUIRE(columns[static_cast<std::size_t>(key)] == key % k);
    }
    const auto third = columns.begin() + 2 * k;
    REQUIRE(std::find(third, columns.end(), 50) != columns.end());
    REQUIRE(std::is_sorted(third, columns.end()));
  }
}

TEST_CASE("numbers that are all alike or fall evenly are chosen by their keys", "[top_k][law]") {
  constexpr Index keys = 700;
  std::vector<double> rows(2 * keys, 1.0 / keys);
  for (Index key = 0; key < keys; ++key)
    rows[static_cast<std::size_t>(keys + key)] = std::ldexp(1.0, -static_cast<int>(key));
  const Layer layer = Layer::view(rows.data(), 1, {2, 1}).over_tokens(keys);
  for (const Index k : {1, 2, 60, 300, 699, 700}) {
    std::vector<std::int32_t> first;
    for (int row = 0; row < 2; ++row) {
      for (Index key = 0; key < k; ++key) first.push_back(static_cast<std::int32_t>(key));
    }
    REQUIRE(columns_of(top_k(layer, k)) == first);
  }
}

TEMPLATE_TEST_CASE("top_k keeps what a sort puts first", "[top_k][law]", float, double, Eigen::half,
                   Eigen::bfloat16) {
  Random random(8101);
  INFO(random.note());
  for (int round = 0; round < 10; ++round) {
    const GridSize queries = random.grid(1, 6), keys = random.grid(1, 14);
    const Index heads = random.integer(1, 3), gap = random.integer(0, 3);
    const Index step = keys.cells() + gap;
    std::vector<TestType> numbers(static_cast<std::size_t>(heads * queries.cells() * step));
    // Few different numbers: ties in every row.
    for (auto& number : numbers) {
      number = static_cast<TestType>(static_cast<float>(random.integer(0, 9)) / 8);
    }
    Layer layer = Layer::view(numbers.data(), heads, queries);
    layer.keys = keys;
    layer.row_stride = step;
    layer.head_weights.assign(static_cast<std::size_t>(heads), 0.5);
    const Index k = random.integer(1, keys.cells());
    const Layer sparse = top_k(layer, k);
    REQUIRE_NOTHROW(sparse.check("Stage", 0));
    REQUIRE(sparse.keys == keys);
    REQUIRE(sparse.head_weights == layer.head_weights);
    REQUIRE(sparse.bytes() == heads * queries.cells() * (k * (element_bytes(layer.type) + 4)) +
                                  (heads * queries.cells() + 1) * 8);
    std::vector<std::int32_t> expected;
    std::vector<TestType> values;
    for (Index row = 0; row < heads * queries.cells(); ++row) {
      auto order = sorted_keys(numbers.data() + row * step, keys.cells());
      order.resize(static_cast<std::size_t>(k));
      std::sort(order.begin(), order.end());
      for (const auto key : order) {
        expected.push_back(key);
        values.push_back(numbers[static_cast<std::size_t>(row * step + key)]);
      }
    }
    REQUIRE(columns_of(sparse) == expected);
    REQUIRE(values_of<TestType>(sparse) == values);
  }
}

TEMPLATE_TEST_CASE("keep_mass keeps as few as reach the share", "[top_k][law]", float, double) {
  Random random(8102);
  INFO(random.note());
  for (int round = 0; round < 10; ++round) {
    const GridSize grid = random.grid(1, 14);
    const Layer layer =
        random_layer<TestType>(random, random.integer(1, 3), grid, grid, random.uniform(0, 3));
    const double share = random.uniform(0.05, 0.99);
    const Layer sparse = keep_mass(layer, share);
    const auto* numbers = static_cast<const TestType*>(layer.data);
    const auto starts = starts_of(sparse);
    for (Index row = 0; row < layer.heads * grid.cells(); ++row) {
      const TestType* from = numbers + row * grid.cells();
      auto order = sorted_keys(from, grid.cells());
      double total = 0, sum = 0;
      for (Index key = 0; key < grid.cells(); ++key) total += static_cast<double>(from[key]);
      std::size_t count = 0;
      while (sum < share * total) sum += static_cast<double>(from[order[count++]]);
      order.resize(count);
      std::sort(order.begin(), order.end());
      const auto begin = starts[static_cast<std::size_t>(row)];
      const auto end = starts[static_cast<std::size_t>(row) + 1];
      const auto* columns = static_cast<const std::int32_t*>(sparse.columns);
      REQUIRE(std::vector<std::int32_t>(columns + begin, columns + end) == order);
    }
  }
}

TEST_CASE("sparse layers are the same for any number of threads", "[top_k][law]") {
  Random random(8103);
  INFO(random.note());
  const Layer layer = random_layer<float>(random, 3, {7, 9}, {8, 11}, 2);
  const Layer largest = top_k(layer, 13), mass = keep_mass(layer, 0.7);
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    REQUIRE(same(top_k(layer, 13), largest));
    REQUIRE(same(keep_mass(layer, 0.7), mass));
  }
}

TEMPLATE_TEST_CASE("numbers at any byte have the same largest ones", "[top_k][law]", Eigen::half,
                   float, double) {
  Random random(8104);
  INFO(random.note());
  const Layer layer = random_layer<TestType>(random, 2, {3, 5}, {20, 31}, 2);
  const Layer moved = support::shifted(layer, 3);
  REQUIRE(same(top_k(moved, 13), top_k(layer, 13)));
  REQUIRE(same(keep_mass(moved, 0.7), keep_mass(layer, 0.7)));
}

TEST_CASE("what has no largest numbers is refused", "[top_k][unit]") {
  std::vector<float> numbers(2 * 4 * 4, 0.25F);
  const Layer layer = Layer::view(numbers.data(), 2, {2, 2});
  REQUIRE(complaint([&] { (void)top_k(layer, 0); }) == "top_k: k must be in 1 .. 4, got 0");
  REQUIRE(complaint([&] { (void)top_k(layer, 5); }) == "top_k: k must be in 1 .. 4, got 5");
  for (const double share : {0.0, -1.0, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    REQUIRE_THAT(complaint([&] { (void)keep_mass(layer, share); }), Contains("(0, 1]"));
  }
  REQUIRE_THAT(complaint([&] { (void)top_k(top_k(layer, 2), 1); }), Contains("dense"));
  Layer scores = layer;
  scores.kind = LayerKind::scores;
  REQUIRE_THAT(complaint([&] { (void)keep_mass(scores, 0.5); }), Contains("soft-max"));
  numbers[16 + 4 + 3] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE_THAT(complaint([&] { (void)top_k(layer, 2); }),
               Contains("at the layer, head 1, query 1, key 3"));
  numbers[16 + 4 + 3] = -1;
  REQUIRE_THAT(complaint([&] { (void)keep_mass(layer, 0.5); }),
               Contains("got -1 at the layer, head 1, query 1, key 3"));
}
