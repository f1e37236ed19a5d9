// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstring>
#include <diffseg/core/parallel.hpp>
#include <diffseg/photo/affinity.hpp>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"

using namespace diffseg;
using support::Random;

namespace {

/// Soft stripes and noise, different in every channel and direction.
template <class Scalar>
Image<Scalar> photo_of(Random& random, GridSize size, Index channels = 3) {
  Image<Scalar> photo{size, channels, {}};
  for (Index y = 0; y < size.height; ++y) {
    for (Index x = 0; x < size.width; ++x) {
      for (Index channel = 0; channel < channels; ++channel) {
        const double wave = std::sin(0.05 * static_cast<double>((channel + 1) * x) +
                                     0.03 * static_cast<double>((3 - channel) * y));
        photo.values.push_back(static_cast<Scalar>(0.5 + 0.3 * wave + random.uniform(-0.1, 0.1)));
      }
    }
  }
  return photo;
}

template <class Scalar>
Eigen::Map<const Matrix<Scalar>> rows_of(const Layer& layer) {
  return {static_cast<const Scalar*>(layer.data), layer.queries.cells(), layer.keys.cells()};
}

template <class Scalar>
bool same_bits(const Layers& a, const Layers& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(a[i].queries == b[i].queries)) return false;
    const auto bytes = static_cast<std::size_t>(rows_of<Scalar>(a[i]).size()) * sizeof(Scalar);
    if (std::memcmp(a[i].data, b[i].data, bytes) != 0) return false;
  }
  return true;
}

template <class Scalar>
void require_attention(const Layers& layers, GridSize grid) {
  REQUIRE(layers.size() == 4);
  for (const Layer& layer : layers) {
    REQUIRE(layer.heads == 1);
    REQUIRE(layer.queries == grid);
    REQUIRE(layer.keys == grid);
    REQUIRE(layer.type == (sizeof(Scalar) == 4 ? ElementType::f32 : ElementType::f64));
    const auto rows = rows_of<Scalar>(layer);
    REQUIRE(rows.minCoeff() >= Scalar(0.9e-12));
    const Eigen::ArrayXd sums = rows.template cast<double>().rowwise().sum();
    REQUIRE((sums - 1).abs().maxCoeff() < 1e-5);
    for (Index token = 0; token < grid.cells(); ++token) {
      REQUIRE(rows(token, token) == rows.row(token).maxCoeff());  // nothing is nearer than itself
    }
    grid = {grid.height / 2, grid.width / 2};
  }
}

}  // namespace

TEST_CASE("the grid of a photo by hand", "[affinity][unit]") {
  REQUIRE(Affinity{}.grid_for({512, 512}) == GridSize{64, 64});
  REQUIRE(Affinity{}.grid_for({1, 1}) == GridSize{64, 64});
  REQUIRE(Affinity{}.grid_for({100, 400}) == GridSize{32, 128});
  REQUIRE(Affinity{}.grid_for({400, 100}) == GridSize{128, 32});
  REQUIRE(Affinity{.cells = 64}.grid_for({512, 512}) == GridSize{8, 8});
  REQUIRE(Affinity{.cells = 1024}.grid_for({512, 512}) == GridSize{32, 32});
}

TEST_CASE("the grid of a photo keeps its shape and size", "[affinity][law]") {
  Random random(1001);
  INFO(random.note());
  for (int round = 0; round < 300; ++round) {
    const Affinity stage{.cells = random.integer(1024, 65536)};
    const GridSize photo = random.grid(200, 2000);
    const GridSize grid = stage.grid_for(photo);
    CAPTURE(stage.cells, photo.height, photo.width, grid.height, grid.width);
    REQUIRE(grid.height % 8 == 0);
    REQUIRE(grid.width % 8 == 0);
    REQUIRE(grid.height >= 8);
    REQUIRE(grid.width >= 8);
    const double cells = static_cast<double>(grid.cells()) / static_cast<double>(stage.cells);
    REQUIRE(cells > 0.4);
    REQUIRE(cells < 1.8);
    // Off by at most about one block of 8 cells on the shorter side.
    const double aspect = static_cast<double>(grid.width * photo.height) /
                          static_cast<double>(grid.height * photo.width);
    const auto least = static_cast<double>(std::min(grid.height, grid.width));
    REQUIRE(std::abs(std::log(aspect)) < 6 / least);
  }
}

TEST_CASE("extreme shapes get a grid of at least one block", "[affinity][law]") {
  for (const Index cells : {64, 1000, 4096, 65536}) {
    const Affinity stage{.cells = cells};
    for (const GridSize photo : {GridSize{1, 100000}, {100000, 1}, {3000, 50}, {1, 500}}) {
      const GridSize grid = stage.grid_for(photo);
      CAPTURE(cells, photo.height, photo.width, grid.height, grid.width);
      REQUIRE(std::min(grid.height, grid.width) >= 8);
      REQUIRE(grid.cells() <= 2 * cells);
      REQUIRE((grid.height <= grid.width) == (photo.height <= photo.width || cells == 64));
    }
  }
}

TEMPLATE_TEST_CASE("a photo becomes distributions on four grids", "[affinity][law]", float,
                   double) {
  Random random(1002);
  INFO(random.note());
  const Affinity stage{.cells = 512};
  for (const GridSize size : {GridSize{120, 90}, {1, 1}, {1, 500}, {3000, 50}, {7, 5}}) {
    CAPTURE(size.height, size.width);
    const auto layers = stage(photo_of<TestType>(random, size));
    require_attention<TestType>(layers, stage.grid_for(size));
  }
}

TEMPLATE_TEST_CASE("the extremes of brightness are fine", "[affinity][unit]", float, double) {
  const Affinity stage{.cells = 64};
  for (const TestType value : {TestType(0), TestType(1)}) {
    const Image<TestType> flat{{20, 20}, 1, std::vector<TestType>(400, value)};
    const auto layers = stage(flat);
    require_attention<TestType>(layers, {8, 8});
    REQUIRE(rows_of<TestType>(layers[3])(0, 0) == TestType(1));
  }
}

TEMPLATE_TEST_CASE("attention follows colour", "[affinity][unit]", float, double) {
  // Left half dark, right half bright: a cell attends to its own half.
  Image<TestType> photo{{64, 64}, 1, {}};
  for (int i = 0; i < 64 * 64; ++i) {
    photo.values.push_back(i % 64 < 32 ? TestType(0.1) : TestType(0.9));
  }
  const auto layers = Affinity{.cells = 1024}(photo);
  const auto rows = rows_of<TestType>(layers[0]);
  for (const Index token : {5 * 32 + 14, 20 * 32 + 17}) {
    TestType left = 0;
    for (Index i = 0; i < 1024; ++i) left += i % 32 < 16 ? rows(token, i) : TestType(0);
    REQUIRE((token % 32 < 16 ? left : 1 - left) > TestType(0.9));
  }
}

TEMPLATE_TEST_CASE("the same photo gives the same bits wherever its numbers lie", "[affinity][law]",
                   float, double) {
  Random random(1003);
  INFO(random.note());
  const Affinity stage{.cells = 256};
  const auto photo = photo_of<TestType>(random, {70, 90});
  const auto expected = stage(photo);
  std::vector<std::unique_ptr<char[]>> disorder;
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    disorder.push_back(std::make_unique<char[]>(static_cast<std::size_t>(random.integer(1, 200))));
    REQUIRE(same_bits<TestType>(stage(photo), expected));
    const auto copy = photo;
    REQUIRE(same_bits<TestType>(stage(copy), expected));
  }
}

TEMPLATE_TEST_CASE("a grey photo equals the same in three channels", "[affinity][law]", float,
                   double) {
  Random random(1004);
  INFO(random.note());
  const auto grey = photo_of<TestType>(random, {61, 83}, 1);
  Image<TestType> colour{grey.size, 3, {}};
  for (const TestType value : grey.values) {
    colour.values.insert(colour.values.end(), {value, value, value});
  }
  const Affinity stage{.cells = 256};
  REQUIRE(same_bits<TestType>(stage(grey), stage(colour)));
}

TEST_CASE("float attention is close to that in double", "[affinity][law]") {
  Random random(1005);
  INFO(random.note());
  const auto photo = photo_of<double>(random, {100, 130});
  Image<float> single{photo.size, 3, {photo.values.begin(), photo.values.end()}};
  const Affinity stage{.cells = 512};
  const auto expected = stage(photo);
  const auto layers = stage(single);
  for (std::size_t i = 0; i < 4; ++i) {
    const Matrix<double> error =
        rows_of<float>(layers[i]).cast<double>() - Matrix<double>(rows_of<double>(expected[i]));
    REQUIRE(error.cwiseAbs().maxCoeff() < 1e-4);
  }
}

TEMPLATE_TEST_CASE("what is no photo is refused", "[affinity]", float, double) {
  using Limits = std::numeric_limits<TestType>;
  using support::Contains;
  const std::vector<TestType> twelve(12, TestType(0.5));
  const Affinity stage{.cells = 64};
  const auto refused = [&](const Affinity& affinity, const Image<TestType>& photo,
                           const std::string& text) {
    REQUIRE_THROWS_WITH(affinity(photo), Contains(text));
    REQUIRE_THROWS_AS(affinity(photo), std::invalid_argument);
  };
  const auto changed = [&](GridSize size, Index channels) {
    Image<TestType> photo{{2, 2}, 3, twelve};
    photo.size = size;
    photo.channels = channels;
    return photo;
  };
  refused(stage, changed({0, 2}, 3),
          "Affinity: the photo must have at least 1 x 1 pixels, got 0 x 2");
  refused(stage, changed({2, 2}, 4), "Affinity: the photo must have 1 or 3 channels, got 4");
  refused(stage, changed({2, 3}, 3), "Affinity: the photo must hold height * width * channels");
  refused(stage, changed({Index{1} << 40, Index{1} << 40}, 3), "Affinity: sizes must multiply");
  refused({.cells = 63}, {{2, 2}, 3, twelve}, "Affinity: cells must be in 64..65536, got 63");
  refused({.cells = 65537}, {{2, 2}, 3, twelve}, "Affinity: cells must be in 64..65536, got 65537");
  REQUIRE_THROWS_WITH(stage.grid_for({0, 0}),
                      "Affinity: the photo must have at least 1 x 1 pixels, got 0 x 0");
  REQUIRE_THROWS_WITH(stage.grid_for({-3, 5}), Contains("got -3 x 5"));
  REQUIRE_THROWS_WITH(Affinity{.cells = -5}.grid_for({10, 10}),
                      "Affinity: cells must be in 64..65536, got -5");
  for (const TestType bad : {TestType(-0.01), TestType(1.01), TestType(255), Limits::quiet_NaN(),
                             Limits::infinity(), -Limits::infinity()}) {
    auto values = twelve;
    values[7] = bad;
    refused(stage, {{2, 2}, 3, values}, "Affinity: the photo's numbers must be in 0..1, got");
  }
}
