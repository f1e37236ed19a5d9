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
#include "support/random.hpp"

using namespace diffseg;
using support::Random;

namespace {

double overlap(Index from, Index to, Index i, Index j) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to);
  const auto target = static_cast<double>(i);
  const auto source = static_cast<double>(j);
  return std::max(0.0,
                  std::min((target + 1) * ratio, source + 1) - std::max(target * ratio, source));
}

/// The area of cell `source` that cell `target` covers, in cells of the source.
double area(GridSize from, GridSize to, Index target, Index source) {
  return overlap(from.height, to.height, target / to.width, source / from.width) *
         overlap(from.width, to.width, target % to.width, source % from.width);
}

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
constexpr double tolerance = sizeof(Scalar) == 4 ? 1e-6 : 1e-14;

}  // namespace

TEMPLATE_TEST_CASE("a photo is averaged by area by hand", "[downsample][unit]", float, double) {
  // 2 x 3 grey -> 1 x 2: each covers 3 / 2 columns of both rows.
  const Image<TestType> grey{{2, 3}, 1, {0, 3, 6, 6, 3, 0}};
  const auto half = Downsample{.size = {1, 2}}(grey);
  REQUIRE(half.size == GridSize{1, 2});
  REQUIRE(half.channels == 1);
  REQUIRE(half.values.size() == 2);
  REQUIRE(static_cast<double>(half.values[0]) == Approx(3));  // (0 + 6 + (3 + 3) / 2) / 3
  REQUIRE(static_cast<double>(half.values[1]) == Approx(3));
  // 1 x 2 in colour -> 1 x 1
  const Image<TestType> colour{{1, 2}, 3, {1, 2, 4, 3, 6, 8}};
  REQUIRE(Downsample{.size = {1, 1}}(colour).values == std::vector<TestType>{2, 4, 6});
}

TEMPLATE_TEST_CASE("a photo is averaged by area at any ratio", "[downsample][law]", float, double) {
  Random random(901);
  INFO(random.note());
  for (int round = 0; round < 30; ++round) {
    const GridSize from = random.grid(1, 40);
    const GridSize to{random.integer(1, from.height), random.integer(1, from.width)};
    const Index channels = round % 2 == 0 ? 1 : 3;
    Image<TestType> photo{from, channels, {}};
    for (Index i = 0; i < from.cells() * channels; ++i) {
      photo.values.push_back(static_cast<TestType>(random.uniform()));
    }
    const auto small = Downsample{.size = to}(photo);
    REQUIRE(small.size == to);
    double worst = 0;
    for (Index cell = 0; cell < to.cells(); ++cell) {
      for (Index channel = 0; channel < channels; ++channel) {
        double expected = 0;
        for (Index source = 0; source < from.cells(); ++source) {
          expected += area(from, to, cell, source) *
                      static_cast<double>(
                          photo.values[static_cast<std::size_t>(source * channels + channel)]);
        }
        expected *= static_cast<double>(to.cells()) / static_cast<double>(from.cells());
        const auto got = small.values[static_cast<std::size_t>(cell * channels + channel)];
        worst = std::max(worst, std::abs(static_cast<double>(got) - expected));
      }
    }
    CAPTURE(from.height, from.width, to.height, to.width, channels);
    REQUIRE(worst < 2 * tolerance<TestType>);
  }
}

TEMPLATE_TEST_CASE("a white photo stays within 0..1", "[downsample][law]", float, double) {
  Random random(811);
  INFO(random.note());
  for (int trial = 0; trial < 30; ++trial) {
    const GridSize from = random.grid(2, 90);
    const GridSize to = random.grid(1, 60);
    const Image<TestType> photo{
        from, 1, std::vector<TestType>(static_cast<std::size_t>(from.cells()), TestType(1))};
    CAPTURE(from.height, from.width, to.height, to.width);
    const auto values = Downsample{to}(photo).values;
    REQUIRE(*std::max_element(values.begin(), values.end()) <= TestType(1));
    REQUIRE(*std::min_element(values.begin(), values.end()) > TestType(0.99999));
  }
}

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
      REQUIRE((rows - expected).cwiseAbs().maxCoeff() < tolerance<TestType>);
      REQUIRE((rows.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-5);
    }
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
            tolerance<TestType>);
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
  Image<TestType> photo{{3, 5}, 3, {}};
  for (int i = 0; i < 45; ++i) photo.values.push_back(static_cast<TestType>(random.uniform()));
  for (const GridSize size : {GridSize{5, 7}, {6, 7}, {100, 100}}) {
    const Downsample stage{.size = size};
    REQUIRE(stage(maps).rows() == maps.rows());
    REQUIRE(stage(layers)[0].data == layers[0].data);
    REQUIRE(stage(photo).values == photo.values);
    REQUIRE(stage(photo).size == photo.size);
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
  Image<TestType> photo{{5, 6}, 1, {}};
  for (int i = 0; i < 30; ++i) photo.values.push_back(static_cast<TestType>(random.uniform()));
  const auto small = stage(photo);
  stage(photo, photo);
  REQUIRE(photo.size == GridSize{3, 4});
  REQUIRE(photo.values == small.values);
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
  using support::Contains;
  Random random(908);
  const auto maps = support::random_maps<TestType>(random, {3, 4});
  const Layers layers = {support::random_layer<TestType>(random, 1, {3, 4}, {3, 4})};
  const Image<TestType> photo{{1, 2}, 1, {0, 1}};
  const Downsample nothing{.size = {0, 3}};
  REQUIRE_THROWS_WITH(nothing(maps), "Downsample: size must be at least 1 x 1, got 0 x 3");
  REQUIRE_THROWS_AS(nothing(layers), std::invalid_argument);
  REQUIRE_THROWS_AS(nothing(photo), std::invalid_argument);
  REQUIRE_THROWS_AS(Downsample{}(maps), std::invalid_argument);
  const Downsample stage{.size = {2, 2}};
  REQUIRE_THROWS_AS(stage(Maps<TestType>{}), std::invalid_argument);
  REQUIRE_THROWS_AS(stage(Maps<TestType>({2, 2}, maps.rows())), std::invalid_argument);
  Layers bad = layers;
  bad[0].heads = 0;
  REQUIRE_THROWS_WITH(stage(bad), "Downsample: layer 0: heads must be >= 1, got 0");
  REQUIRE_THROWS_WITH(
      stage(Image<TestType>{{2, 2}, 3, std::vector<TestType>(11)}),
      Contains("Downsample: the photo must hold") && Contains("got 11 for 2 x 2 x 3"));
  REQUIRE_THROWS_AS(stage(Image<TestType>{}), std::invalid_argument);
}
