// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstring>
#include <diffseg/attention/sinks.hpp>
#include <diffseg/attention/top_k.hpp>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"
#include "support/shifted.hpp"

using namespace diffseg;
using support::complaint;
using support::Random;
using support::random_layer;

namespace {

std::vector<float> values_of(const Layer& layer) {
  const auto* const values = static_cast<const float*>(layer.data);
  return {values, values + layer.heads * layer.queries.cells() * layer.keys.cells()};
}

/// The mean over heads of rows of sum 1 in double, [queries, keys].
Matrix<double> mean_of_heads(const Layer& layer) {
  Matrix<double> mean = Matrix<double>::Zero(layer.queries.cells(), layer.keys.cells());
  const auto values = values_of(layer);
  for (std::size_t i = 0; i < values.size(); ++i) {
    mean.data()[static_cast<Index>(i) % mean.size()] += static_cast<double>(values[i]);
  }
  for (Index i = 0; i < mean.rows(); ++i) mean.row(i) /= mean.row(i).sum();
  return mean;
}

/// `share` of every head's rows goes to `sink`.
Layer with_sink(const Layer& layer, Index sink, float share) {
  std::vector<float> values = values_of(layer);
  const Index keys = layer.keys.cells();
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] *= 1 - share;
    if (static_cast<Index>(i) % keys == sink) values[i] += share;
  }
  Layer result = Layer::owning(std::move(values), layer.heads, layer.queries, layer.keys);
  result.name = "planted";
  return result;
}

}  // namespace

TEST_CASE("shares of keys and a sink left out by hand", "[sinks][unit]") {
  // Two queries, 20 keys; key 3 gets 1/2 and 3/4.
  std::vector<float> values(40, 0.0F);
  values[0] = values[1] = 0.25F;
  values[3] = 0.5F;
  values[20 + 2] = 0.25F;
  values[20 + 3] = 0.75F;
  const Layer layer = Layer::view(values.data(), 1, {1, 2}).over_tokens(20);
  const auto shares = key_shares(layer);
  CHECK(shares == std::vector<double>([] {
          std::vector<double> expected(20, 0.0);
          expected[0] = expected[1] = expected[2] = 0.125;
          expected[3] = 0.625;
          return expected;
        }()));
  std::vector<float> expected(40, 0.0F);
  expected[0] = expected[1] = 0.5F;
  expected[22] = 1;
  // 0.125 is more than 0.1, but not more than 8 / 20.
  CHECK(values_of(leave_out_sinks(layer, 0.1)) == expected);
  CHECK(values_of(leave_out_sinks(support::shifted(layer, 3), 0.1)) == expected);
  CHECK(leave_out_sinks(layer, 0.7).data == layer.data);
}

TEST_CASE("a row with nothing but a sink becomes even", "[sinks][unit]") {
  std::vector<float> values(2 * 11, 0.0F);
  values[4] = 1;
  values[11 + 4] = values[11 + 5] = 0.5F;
  const Layer layer = leave_out_sinks(Layer::view(values.data(), 1, {2, 1}).over_tokens(11), 0.5);
  std::vector<float> expected(2 * 11, 0.0F);
  std::fill_n(expected.begin(), 11, 0.1F);
  expected[4] = 0;
  expected[11 + 5] = 1;
  CHECK(values_of(layer) == expected);
}

TEST_CASE("few keys hold no sink", "[sinks][unit]") {
  const std::vector<float> values{0.9F, 0.1F};
  const Layer layer = Layer::view(values.data(), 1, {1, 1}).over_tokens(2);
  CHECK(leave_out_sinks(layer, 0.1).data == layer.data);
}

TEST_CASE("sinks are refused with their stage", "[sinks][unit]") {
  const std::vector<float> values(16 * 16, 1.0F / 16);
  Layer layer = Layer::view(values.data(), 1, {4, 4});
  CHECK(complaint([&] { (void)leave_out_sinks(layer, 0.0); }) ==
        "leave_out_sinks: share must be in (0, 1], got 0");
  CHECK(complaint([&] { (void)leave_out_sinks(layer, 1.5); }) ==
        "leave_out_sinks: share must be in (0, 1], got 1.5");
  CHECK(complaint([&] { (void)leave_out_sinks(layer, std::nan("")); }) != "no error");
  const std::vector<float> empty(16 * 16, 0.0F);
  layer.data = empty.data();
  CHECK_THAT(complaint([&] { (void)leave_out_sinks(layer, 0.1); }),
             support::Contains("leave_out_sinks: the attention of a query must have a positive"));
  layer.data = nullptr;
  CHECK_THAT(complaint([&] { (void)key_shares(layer); }), support::Contains("key_shares: "));
}

TEST_CASE("planted sinks are found and what was there without them", "[sinks][law]") {
  Random random(8201);
  INFO(random.note());
  for (int repeat = 0; repeat < 12; ++repeat) {
    const GridSize grid{random.integer(9, 13), random.integer(9, 12)};
    const Layer clean = random_layer<float>(random, random.integer(1, 3), grid, grid);
    REQUIRE(leave_out_sinks(clean, 0.1).data == clean.data);
    const Index sink = random.integer(0, grid.cells() - 1);
    const Layer planted = with_sink(clean, sink, static_cast<float>(random.uniform(0.2, 0.95)));
    const auto shares = key_shares(planted);
    CHECK(std::abs(std::accumulate(shares.begin(), shares.end(), 0.0) - 1) < 1e-6);
    const Layer without = leave_out_sinks(planted, 0.1);
    REQUIRE(without.heads == 1);
    CHECK(without.name == "planted");
    Matrix<double> expected = mean_of_heads(clean);
    expected.col(sink).setZero();
    for (Index i = 0; i < expected.rows(); ++i) expected.row(i) /= expected.row(i).sum();
    const double error = (mean_of_heads(without) - expected).cwiseAbs().maxCoeff();
    CHECK(error < 2e-6);
    // Sparse rows of all numbers are the same layer.
    const Layer sparse = leave_out_sinks(top_k(planted, grid.cells()), 0.1);
    CHECK((mean_of_heads(sparse) - expected).cwiseAbs().maxCoeff() < 2e-6);
    for (const int threads : {1, 2, 3, 4, 8}) {
      const ThreadLimit limit(threads);
      CHECK(values_of(leave_out_sinks(planted, 0.1)) == values_of(without));
      CHECK(key_shares(planted) == shares);
    }
  }
}

TEST_CASE("sinks of queries and keys and of scores", "[sinks][law]") {
  Random random(8202);
  INFO(random.note());
  const GridSize grid{8, 9};
  const Index tokens = grid.cells();
  std::vector<float> queries, keys, scores;
  for (Index i = 0; i < tokens * 4; ++i) {
    queries.push_back(static_cast<float>(random.normal()));
    keys.push_back(static_cast<float>(random.normal()));
  }
  // One key along a direction that all queries have.
  for (Index i = 0; i < tokens; ++i) queries[static_cast<std::size_t>(4 * i)] = 3;
  for (Index d = 0; d < 4; ++d) keys[static_cast<std::size_t>(4 * 17 + d)] = d == 0 ? 5.0F : 0;
  for (Index i = 0; i < tokens; ++i) {
    for (Index j = 0; j < tokens; ++j) {
      float product = 0;
      for (Index d = 0; d < 4; ++d) {
        product += queries[static_cast<std::size_t>(4 * i + d)] *
                   keys[static_cast<std::size_t>(4 * j + d)];
      }
      scores.push_back(product / 2);
    }
  }
  Layer by_scores = Layer::view(scores.data(), 1, grid);
  by_scores.kind = LayerKind::scores;
  const Layer by_products = Layer::queries_and_keys(queries.data(), keys.data(), 1, 4, grid);
  const Layer a = leave_out_sinks(by_scores, 0.2);
  const Layer b = leave_out_sinks(by_products, 0.2);
  REQUIRE(a.kind == LayerKind::probabilities);
  REQUIRE(b.kind == LayerKind::probabilities);
  for (Index i = 0; i < tokens; ++i) {
    CHECK(values_of(a)[static_cast<std::size_t>(i * tokens + 17)] == 0);
  }
  CHECK((mean_of_heads(a) - mean_of_heads(b)).cwiseAbs().maxCoeff() < 1e-5);
}
