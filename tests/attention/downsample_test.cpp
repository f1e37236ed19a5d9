// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <diffseg/attention/downsample.hpp>
#include <diffseg/core/parallel.hpp>
#include <limits>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/overlap.hpp"
#include "support/random.hpp"
#include "support/shifted.hpp"

using namespace diffseg;
using support::area;
using support::Random;

namespace {

/// Queries averaged, keys summed, by definition.
Matrix<double> reduce(const Matrix<double>& rows, GridSize queries, GridSize few_queries,
                      GridSize keys, GridSize few_keys) {
  Matrix<double> over_queries(few_queries.cells(), queries.cells());
  for (Index i = 0; i < few_queries.cells(); ++i) {
    for (Index j = 0; j < queries.cells(); ++j) {
      over_queries(i, j) = area(queries, few_queries, i, j) *
                           static_cast<double>(few_queries.cells()) /
                           static_cast<double>(queries.cells());
    }
  }
  Matrix<double> over_keys(keys.cells(), few_keys.cells());
  for (Index i = 0; i < few_keys.cells(); ++i) {
    for (Index j = 0; j < keys.cells(); ++j) over_keys(j, i) = area(keys, few_keys, i, j);
  }
  return over_queries * rows * over_keys;
}

template <class Element>
Matrix<double> head_of(const Layer& layer, Index head) {
  const auto* data = static_cast<const Element*>(layer.data);
  Matrix<double> rows(layer.queries.cells(), layer.keys.cells());
  for (Index i = 0; i < rows.size(); ++i) {
    rows.data()[i] = static_cast<double>(data[head * rows.size() + i]);
  }
  return rows;
}

template <class Scalar>
constexpr double downsample_tolerance = sizeof(Scalar) == 4 ? 1e-6 : 1e-14;

}  // namespace

TEMPLATE_TEST_CASE("layers: queries are averaged and keys summed", "[downsample][law]", float,
                   double) {
  Random random(902);
  INFO(random.note());
  const Layers layers = {support::random_layer<TestType>(random, 2, {9, 14}, {9, 14}),
                         support::random_layer<TestType>(random, 3, {7, 5}, {4, 12}),
                         support::random_layer<TestType>(random, 1, {3, 20}, {6, 6})};
  const GridSize size{4, 6};
  const auto reduced = Downsample{.size = size}(layers);
  REQUIRE(reduced.size() == 3);
  REQUIRE(reduced[0].queries == GridSize{4, 6});
  REQUIRE(reduced[1].queries == GridSize{4, 5});  // the side of 5 stays
  REQUIRE(reduced[1].keys == GridSize{4, 6});
  REQUIRE(reduced[2].queries == GridSize{3, 6});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    REQUIRE(reduced[i].heads == layers[i].heads);
    REQUIRE(reduced[i].owner != nullptr);
    for (Index head = 0; head < layers[i].heads; ++head) {
      const auto expected = reduce(head_of<TestType>(layers[i], head), layers[i].queries,
                                   reduced[i].queries, layers[i].keys, reduced[i].keys);
      const auto rows = head_of<TestType>(reduced[i], head);
      REQUIRE((rows - expected).cwiseAbs().maxCoeff() < downsample_tolerance<TestType>);
      REQUIRE((rows.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-5);
    }
    const Layer moved = Downsample{.size = size}({support::shifted(layers[i], 3)})[0];
    REQUIRE(head_of<TestType>(moved, 0) == head_of<TestType>(reduced[i], 0));
  }
}

TEMPLATE_TEST_CASE("layers of half precision become f32", "[downsample][law]", Eigen::half,
                   Eigen::bfloat16) {
  Random random(903);
  INFO(random.note());
  const Layers layers = {support::random_layer<TestType>(random, 2, {6, 9}, {6, 9})};
  const auto reduced = Downsample{.size = {3, 4}}(layers);
  REQUIRE(reduced[0].type == ElementType::f32);
  for (Index head = 0; head < 2; ++head) {
    const auto expected =
        reduce(head_of<TestType>(layers[0], head), {6, 9}, {3, 4}, {6, 9}, {3, 4});
    REQUIRE((head_of<float>(reduced[0], head) - expected).cwiseAbs().maxCoeff() < 1e-6);
  }
}

TEMPLATE_TEST_CASE("maps keep the sums of their rows", "[downsample][law]", float, double) {
  Random random(904);
  INFO(random.note());
  for (const GridSize size : {GridSize{4, 6}, {9, 5}, {1, 1}, {3, 100}}) {
    const auto maps = support::random_maps<TestType>(random, {9, 14});
    const auto reduced = Downsample{.size = size}(maps);
    const GridSize expected_grid{std::min<Index>(9, size.height), std::min<Index>(14, size.width)};
    CAPTURE(size.height, size.width);
    REQUIRE(reduced.grid() == expected_grid);
    const auto expected =
        reduce(maps.rows().template cast<double>(), {9, 14}, expected_grid, {9, 14}, expected_grid);
    REQUIRE((reduced.rows().template cast<double>() - expected).cwiseAbs().maxCoeff() <
            downsample_tolerance<TestType>);
    REQUIRE((reduced.rows().rowwise().sum().array() - 1).abs().maxCoeff() < TestType(1e-5));
    REQUIRE(reduced.rows().minCoeff() > TestType(0));
  }
}

TEMPLATE_TEST_CASE("a size that is not smaller leaves the numbers as they are", "[downsample][law]",
                   float, double) {
  Random random(905);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {5, 7});
  const Layers layers = {support::random_layer<TestType>(random, 2, {5, 7}, {4, 3})};
  for (const GridSize size : {GridSize{5, 7}, {6, 7}, {100, 100}}) {
    const Downsample stage{.size = size};
    REQUIRE(stage(maps).rows() == maps.rows());
    REQUIRE(stage(layers)[0].data == layers[0].data);
  }
}

TEMPLATE_TEST_CASE("input and output may be the same object", "[downsample]", float, double) {
  Random random(906);
  INFO(random.note());
  const Downsample stage{.size = {3, 4}};
  auto maps = support::random_maps<TestType>(random, {7, 9});
  const auto expected = stage(maps);
  stage(maps, maps);
  REQUIRE(maps.grid() == GridSize{3, 4});
  REQUIRE(maps.rows() == expected.rows());
  Layers layers = {support::random_layer<TestType>(random, 2, {7, 9}, {7, 9})};
  const auto apart = stage(layers);
  stage(layers, layers);
  REQUIRE(head_of<TestType>(layers[0], 1) == head_of<TestType>(apart[0], 1));
}

TEMPLATE_TEST_CASE("downsample has the same bits for any number of threads", "[downsample][law]",
                   float, double) {
  Random random(907);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {14, 11});
  const Downsample stage{.size = {6, 5}};
  const auto expected = stage(maps);
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    REQUIRE(stage(maps).rows() == expected.rows());
  }
}

TEMPLATE_TEST_CASE("what cannot be reduced is refused", "[downsample]", float, double) {
  Random random(908);
  const auto maps = support::random_maps<TestType>(random, {3, 4});
  const Layers layers = {support::random_layer<TestType>(random, 1, {3, 4}, {3, 4})};
  const Downsample nothing{.size = {0, 3}};
  REQUIRE_THROWS_WITH(nothing(maps), "Downsample: size must be at least 1 x 1, got 0 x 3");
  REQUIRE_THROWS_AS(nothing(layers), std::invalid_argument);
  REQUIRE_THROWS_AS(Downsample{}(maps), std::invalid_argument);
  const Downsample stage{.size = {2, 2}};
  REQUIRE_THROWS_AS(stage(Maps<TestType>{}), std::invalid_argument);
  Layers bad = layers;
  bad[0].heads = 0;
  REQUIRE_THROWS_WITH(stage(bad), "Downsample: layer 0: heads must be >= 1, got 0");
}
