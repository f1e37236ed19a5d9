// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cmath>
#include <diffseg/photo/detail/photo_features.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

using Planes = std::array<Matrix<double>, 3>;

/// The Lab numbers of one colour.
std::array<double, 3> lab_of(double red, double green, double blue) {
  Buffer<double> r(1), g(1), b(1);
  r << red;
  g << green;
  b << blue;
  srgb_to_lab<double>(r, g, b);
  return {r[0], g[0], b[0]};
}

void require_near(const std::array<double, 3>& found, const std::array<double, 3>& expected) {
  for (std::size_t i = 0; i < 3; ++i) {
    CAPTURE(i, found[i], expected[i]);
    REQUIRE(std::abs(found[i] - expected[i]) < 0.02);
  }
}

/// [10] of the middle cell of 3 x 3 on a lightness that rises by `right` and `down` a pixel.
std::vector<double> ramp_features(double right, double down) {
  constexpr Index cell = 4;
  Planes lab;
  for (auto& plane : lab) plane = Matrix<double>::Zero(3 * cell, 3 * cell);
  for (Index y = 0; y < 3 * cell; ++y) {
    for (Index x = 0; x < 3 * cell; ++x) {
      lab[0](y, x) = right * static_cast<double>(x) + down * static_cast<double>(y);
    }
  }
  Matrix<double> features(feature_count, 9);
  for (Index y = 0; y < 3; ++y) describe_row(lab.data(), y, cell, {3, 3}, features);
  std::vector<double> middle;
  for (Index i = 0; i < feature_count; ++i) middle.push_back(features(i, 4));
  return middle;
}

Index mirrored(Index i, Index count) {
  if (count == 1) return 0;
  return i < 0 ? -i : i >= count ? 2 * count - 2 - i : i;
}

/// What cell_features says of itself, pixel by pixel.
Matrix<double> plain_features(const Planes& lab, Index cell, GridSize grid) {
  Matrix<double> raw = Matrix<double>::Zero(10, grid.cells());
  const auto count = static_cast<double>(cell * cell);
  const Index height = lab[0].rows(), width = lab[0].cols();
  for (Index y = 0; y < height; ++y) {
    for (Index x = 0; x < width; ++x) {
      const Index at = y / cell * grid.width + x / cell;
      double gx = 0, gy = 0;
      for (Index d = -1; d <= 1; ++d) {
        const double weight = (d == 0 ? 2.0 : 1.0) / 8;
        const auto l = [&](Index v, Index u) {
          return lab[0](mirrored(y + v, height), mirrored(x + u, width));
        };
        gx += weight * (l(d, 1) - l(d, -1));
        gy += weight * (l(1, d) - l(-1, d));
      }
      const double length = std::hypot(gx, gy);
      if (length > 0) {
        const double cosine = (gx * gx - gy * gy) / length, sine = 2 * gx * gy / length;
        raw(cosine > 0 ? 6 : 8, at) += std::abs(cosine) / count;
        raw(sine > 0 ? 7 : 9, at) += std::abs(sine) / count;
      }
      for (Index i = 0; i < 3; ++i) raw(i, at) += lab[static_cast<std::size_t>(i)](y, x) / count;
    }
  }
  for (Index i = 0; i < 3; ++i) {
    for (Index y = 0; y < height; ++y) {
      for (Index x = 0; x < width; ++x) {
        const Index at = y / cell * grid.width + x / cell;
        const double off = lab[static_cast<std::size_t>(i)](y, x) - raw(i, at);
        raw(3 + i, at) += off * off / count;
      }
    }
  }
  for (Index i = 3; i < 6; ++i) raw.row(i) = raw.row(i).cwiseSqrt().eval();
  return raw;
}

/// The same smoothed and scaled.
Matrix<double> scaled(const Matrix<double>& raw, GridSize grid) {
  Matrix<double> features = raw;
  for (Index i = 3; i < 10; ++i) {
    for (Index y = 0; y < grid.height; ++y) {
      for (Index x = 0; x < grid.width; ++x) {
        double sum = 0, count = 0;
        for (Index v = y - 1; v <= y + 1; ++v) {
          for (Index u = x - 1; u <= x + 1; ++u) {
            if (v < 0 || u < 0 || v >= grid.height || u >= grid.width) continue;
            sum += raw(i, v * grid.width + u);
            count += 1;
          }
        }
        features(i, y * grid.width + x) = sum / count;
      }
    }
  }
  double variance = 0;
  for (Index i = 0; i < 10; ++i) {
    features.row(i) *= i == 0 ? 0.06 : i < 3 ? 0.1 : i < 6 ? 1.0 / 6 : 0.5;
    const double mean = features.row(i).mean();
    variance += (features.row(i).array() - mean).square().mean();
  }
  return features * std::sqrt(1.6 / std::max(std::sqrt(variance), 0.3));
}

/// One step of smooth_features, cell by cell.
Matrix<double> moved(const Matrix<double>& features, GridSize grid, Index radius) {
  Matrix<double> next(features.rows(), features.cols());
  for (Index y = 0; y < grid.height; ++y) {
    for (Index x = 0; x < grid.width; ++x) {
      const Index here = y * grid.width + x;
      Eigen::VectorXd sum = Eigen::VectorXd::Zero(features.rows());
      double weights = 0;
      for (Index v = std::max<Index>(0, y - radius); v <= y + radius && v < grid.height; ++v) {
        for (Index u = std::max<Index>(0, x - radius); u <= x + radius && u < grid.width; ++u) {
          const Index there = v * grid.width + u;
          const double weight =
              std::exp(-2 * (features.col(here) - features.col(there)).squaredNorm());
          sum += weight * features.col(there);
          weights += weight;
        }
      }
      next.col(here) = sum / weights;
    }
  }
  return next;
}

Planes random_planes(Random& random, Index height, Index width, double loud) {
  Planes lab;
  for (auto& plane : lab) {
    plane.resize(height, width);
    for (double& value : plane.reshaped()) value = 50 + loud * random.normal();
  }
  return lab;
}

}  // namespace

TEST_CASE("colours have their published Lab numbers", "[photo_features][unit]") {
  require_near(lab_of(1, 1, 1), {100, 0.0053, -0.0104});
  require_near(lab_of(1, 0, 0), {53.2408, 80.0925, 67.2032});
  require_near(lab_of(0, 1, 0), {87.7347, -86.1827, 83.1793});
  require_near(lab_of(0, 0, 1), {32.2970, 79.1875, -107.8602});
  require_near(lab_of(0.5, 0.5, 0.5), {53.3890, 0.0032, -0.0062});
  // Both lines near black: 0.03 / 12.92 of the white's light, 24389 / 27 of that.
  require_near(lab_of(0.03, 0.03, 0.03), {2.0974, 0, 0});
  require_near(lab_of(0, 0, 0), {0, 0, 0});
}

TEST_CASE("ramps have the energies of their direction by hand", "[photo_features][unit]") {
  const auto energies = [](double right, double down) {
    const auto features = ramp_features(right, down);
    return std::vector<double>(features.begin() + 6, features.end());
  };
  const auto near = [](const std::vector<double>& found, const std::vector<double>& expected) {
    for (std::size_t i = 0; i < 4; ++i) CHECK(found[i] == Approx(expected[i]).margin(1e-12));
  };
  const double root = std::sqrt(2.0), five = std::sqrt(5.0);
  near(energies(1, 0), {1, 0, 0, 0});
  near(energies(1, 1), {0, root, 0, 0});
  near(energies(0, 1), {0, 0, 1, 0});
  near(energies(1, -1), {0, 0, 0, root});
  near(energies(2, 1), {3 / five, 4 / five, 0, 0});
  near(energies(1, -2), {0, 0, 3 / five, 4 / five});
  near(energies(0, 0), {0, 0, 0, 0});
  // Columns 4 to 7: their mean, and the root of the mean of 1.5^2 and 0.5^2.
  const auto ramp = ramp_features(1, 0);
  CHECK(ramp[0] == Approx(5.5));
  CHECK(ramp[3] == Approx(std::sqrt(1.25)));
  CHECK(ramp[1] == 0);
  CHECK(ramp[5] == 0);
}

TEST_CASE("features of cells are what their definition says", "[photo_features][law]") {
  Random random(2611);
  INFO(random.note());
  for (int trial = 0; trial < 12; ++trial) {
    const GridSize grid = random.grid(1, 6);
    const Index cell = random.integer(1, 5);
    const double loud = trial % 3 == 0 ? 0.01 : 20;  // dull ones meet the least spread
    const Planes lab = random_planes(random, grid.height * cell, grid.width * cell, loud);
    CAPTURE(grid.height, grid.width, cell);
    const Matrix<double> expected = scaled(plain_features(lab, cell, grid), grid);
    const Matrix<double> found = cell_features(lab.data(), cell, grid);
    REQUIRE((found - expected).cwiseAbs().maxCoeff() < 1e-9);
  }
}

TEST_CASE("smoothing moves every cell to what looks like it", "[photo_features][law]") {
  Random random(2612);
  INFO(random.note());
  for (int trial = 0; trial < 8; ++trial) {
    const GridSize grid = random.grid(1, 9);
    Matrix<double> features(random.integer(1, 4), grid.cells());
    for (double& value : features.reshaped()) value = 0.6 * random.normal();
    const Index radius = random.integer(1, 4);
    const int steps = static_cast<int>(random.integer(0, 3));
    Matrix<double> expected = features, by_default = features, eight = features;
    for (int step = 0; step < steps; ++step) expected = moved(expected, grid, radius);
    for (int step = 0; step < 8; ++step) eight = moved(eight, grid, 3);
    smooth_features(features, grid, radius, steps);
    smooth_features(by_default, grid);
    CAPTURE(grid.height, grid.width, radius, steps);
    REQUIRE((features - expected).cwiseAbs().maxCoeff() < 1e-12);
    REQUIRE((by_default - eight).cwiseAbs().maxCoeff() < 1e-12);
  }
}
