// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <diffseg/photo/downsample.hpp>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/overlap.hpp"
#include "support/random.hpp"

using namespace diffseg;
using support::area;
using support::Random;

namespace {

template <class Scalar>
Image<Scalar> random_photo(Random& random, GridSize size, Index channels) {
  std::vector<Scalar> values;
  for (Index i = 0; i < size.cells() * channels; ++i) {
    values.push_back(static_cast<Scalar>(random.uniform()));
  }
  return {size, channels, std::move(values)};
}

template <class Scalar>
constexpr double tolerance = sizeof(Scalar) == 4 ? 1e-6 : 1e-14;

}  // namespace

TEMPLATE_TEST_CASE("a photo is averaged by area by hand", "[downsample_photo][unit]", float,
                   double) {
  // 2 x 3 grey -> 1 x 2: each covers 3 / 2 columns of both rows.
  const Image<TestType> grey{{2, 3}, 1, {0, 3, 6, 6, 3, 0}};
  const auto half = DownsamplePhoto{.size = {1, 2}}(grey);
  REQUIRE(half.size == GridSize{1, 2});
  REQUIRE(half.channels == 1);
  REQUIRE(half.values.size() == 2);
  REQUIRE(static_cast<double>(half.values[0]) == Approx(3));  // (0 + 6 + (3 + 3) / 2) / 3
  REQUIRE(static_cast<double>(half.values[1]) == Approx(3));
  // 1 x 2 in colour -> 1 x 1
  const Image<TestType> colour{{1, 2}, 3, {1, 2, 4, 3, 6, 8}};
  REQUIRE(DownsamplePhoto{.size = {1, 1}}(colour).values == std::vector<TestType>{2, 4, 6});
}

TEMPLATE_TEST_CASE("a photo is averaged by area at any ratio", "[downsample_photo][law]", float,
                   double) {
  Random random(901);
  INFO(random.note());
  for (int round = 0; round < 30; ++round) {
    const GridSize from = random.grid(1, 40);
    const GridSize to{random.integer(1, from.height), random.integer(1, from.width)};
    const Index channels = round % 2 == 0 ? 1 : 3;
    const auto photo = random_photo<TestType>(random, from, channels);
    const auto small = DownsamplePhoto{.size = to}(photo);
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

TEMPLATE_TEST_CASE("a white photo stays within 0..1", "[downsample_photo][law]", float, double) {
  Random random(811);
  INFO(random.note());
  for (int trial = 0; trial < 30; ++trial) {
    const GridSize from = random.grid(2, 90);
    const GridSize to = random.grid(1, 60);
    const Image<TestType> photo{
        from, 1, std::vector<TestType>(static_cast<std::size_t>(from.cells()), TestType(1))};
    CAPTURE(from.height, from.width, to.height, to.width);
    const auto values = DownsamplePhoto{to}(photo).values;
    REQUIRE(*std::max_element(values.begin(), values.end()) <= TestType(1));
    REQUIRE(*std::min_element(values.begin(), values.end()) > TestType(0.99999));
  }
}

TEST_CASE("a photo that is not larger stays as it is", "[downsample_photo][law]") {
  Random random(905);
  INFO(random.note());
  const auto photo = random_photo<float>(random, {5, 7}, 3);
  for (const GridSize size : {GridSize{5, 7}, {6, 7}, {100, 100}}) {
    const auto same = DownsamplePhoto{.size = size}(photo);
    REQUIRE(same.values == photo.values);
    REQUIRE(same.size == photo.size);
  }
}

TEST_CASE("a photo may be made smaller in place and by images in turns", "[downsample_photo]") {
  Random random(906);
  INFO(random.note());
  const DownsamplePhoto stage{.size = {3, 4}};
  auto photo = random_photo<float>(random, {5, 6}, 1);
  const auto small = stage(photo);
  stage(photo, photo);
  REQUIRE(photo.size == GridSize{3, 4});
  REQUIRE(photo.values == small.values);
  Workspace workspace;
  Image<float> out;
  for (int round = 0; round < 4; ++round) {
    const auto next = random_photo<float>(random, {5 + round, 6}, 3);
    stage(next, out, workspace);
    REQUIRE(out.values == stage(next).values);
  }
}

TEST_CASE("a photo has the same bits for any number of threads", "[downsample_photo][law]") {
  Random random(907);
  INFO(random.note());
  const auto photo = random_photo<float>(random, {90, 70}, 3);
  const DownsamplePhoto stage{.size = {31, 29}};
  const auto expected = stage(photo);
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    REQUIRE(stage(photo).values == expected.values);
  }
}

TEST_CASE("a photo that contradicts itself is refused and the result stays", "[downsample_photo]") {
  using support::Contains;
  const Image<float> photo{{1, 2}, 1, {0, 1}};
  REQUIRE_THROWS_WITH((DownsamplePhoto{.size = {0, 3}}(photo)),
                      "DownsamplePhoto: size must be at least 1 x 1, got 0 x 3");
  const DownsamplePhoto stage{.size = {2, 2}};
  Image<float> bad{{2, 2}, 3, std::vector<float>(12)};
  bad.values.pop_back();
  Image<float> out = photo;
  REQUIRE_THROWS_WITH(stage(bad, out), Contains("DownsamplePhoto: the photo must hold") &&
                                           Contains("got 11 for 2 x 2 x 3"));
  REQUIRE(out.values == photo.values);
  REQUIRE_THROWS_AS(stage(Image<float>{}), std::invalid_argument);
}
