// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <diffseg/math/lightness.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

/// L / 100 by the formulas of IEC 61966-2-1 and CIE 15, in double.
double plain_lightness(double red, double green, double blue) {
  const auto linear = [](double v) {
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  };
  const double y = 0.2126729 * linear(red) + 0.7151522 * linear(green) + 0.0721750 * linear(blue);
  return y > 216.0 / 24389 ? 1.16 * std::cbrt(y) - 0.16 : y * 24389 / 2700;
}

}  // namespace

TEST_CASE("lightness of known colours", "[unit]") {
  // L of CIE L*a*b* as published for black, sRGB's primaries, middle grey and white.
  const std::vector<float> pixels{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0.5, 0.5, 0.5, 1, 1, 1};
  std::vector<float> light(6);
  lightness(pixels.data(), 6, 3, light.data());
  const double expected[] = {0, 0.532408, 0.877347, 0.322970, 0.533890, 1};
  for (std::size_t i = 0; i < 6; ++i) CHECK(std::abs(light[i] - expected[i]) < 2e-4);
  const std::vector<double> grey{0, 0.5, 1};
  lightness(grey.data(), 3, 1, light.data());
  CHECK(light[0] == 0);
  CHECK(std::abs(light[1] - 0.533890) < 2e-4);
  CHECK(std::abs(light[2] - 1) < 1e-6);
}

TEST_CASE("lightness follows the formulas to a step of 1 / 4096", "[unit][law]") {
  Random random(640);
  INFO(random.note());
  for (int repeat = 0; repeat < 40; ++repeat) {
    const Index count = random.integer(1, 70);
    const double dark = repeat % 2 == 0 ? 1 : 0.1;
    std::vector<double> pixels;
    for (Index i = 0; i < 3 * count; ++i) pixels.push_back(dark * random.uniform());
    std::vector<float> light(static_cast<std::size_t>(count), -1);
    lightness(pixels.data(), count, 3, light.data());
    double worst = 0;
    for (std::size_t i = 0; i < light.size(); ++i) {
      REQUIRE(light[i] >= 0);
      REQUIRE(light[i] <= 1);
      const double expected = plain_lightness(pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]);
      worst = std::max(worst, std::abs(light[i] - expected));
    }
    CHECK(worst < 1.0 / 4096);
  }
}
