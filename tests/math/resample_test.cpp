// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <diffseg/math/resample.hpp>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

constexpr Resampling all_modes[] = {Resampling::bilinear, Resampling::mass, Resampling::mean,
                                    Resampling::repeat, Resampling::sample};

template <class Scalar>
std::vector<Scalar> resample(std::vector<Scalar> values, GridSize from, GridSize to,
                             Resampling mode) {
  std::vector<Scalar> out(static_cast<std::size_t>(to.cells()));
  Resampler<Scalar>(from, to, mode).apply(values.data(), out.data());
  return out;
}

template <class Scalar>
std::vector<Scalar> random_values(Random& random, Index count) {
  std::vector<Scalar> values(static_cast<std::size_t>(count));
  for (Scalar& value : values) value = static_cast<Scalar>(random.uniform(0.01, 1));
  return values;
}

template <class Scalar>
double total(const std::vector<Scalar>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

template <class Scalar>
constexpr double tolerance = 200 * std::numeric_limits<Scalar>::epsilon();

/// The weight of source `j` for target `i`, from the definition and nothing else.
double weight(Index from, Index to, Resampling mode, Index i, Index j) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to);
  const auto target = static_cast<double>(i);
  const auto source = static_cast<double>(j);
  const bool repeats = mode == Resampling::repeat || mode == Resampling::sample;
  if (mode == Resampling::bilinear || (!repeats && to >= from)) {
    const double at = std::clamp((target + 0.5) * ratio - 0.5, 0.0, static_cast<double>(from - 1));
    return std::max(0.0, 1 - std::abs(at - source));
  }
  if (to >= from) return j == i * from / to ? 1 : 0;
  if (mode == Resampling::sample) return source == std::floor((target + 0.5) * ratio) ? 1 : 0;
  const double overlap =
      std::min((target + 1) * ratio, source + 1) - std::max(target * ratio, source);
  return std::max(0.0, overlap) / (mode == Resampling::mass ? 1 : ratio);
}

}  // namespace

TEMPLATE_TEST_CASE("bilinear 2 -> 4 by hand", "[resample][unit]", float, double) {
  // Sources at (i + 1/2) / 2 - 1/2 = -.25, .25, .75, 1.25, clamped to 0, .25, .75, 1.
  REQUIRE(resample<TestType>({0, 8}, {1, 2}, {1, 4}, Resampling::bilinear) ==
          std::vector<TestType>{0, 2, 6, 8});
  REQUIRE(resample<TestType>({0, 8}, {2, 1}, {4, 1}, Resampling::bilinear) ==
          std::vector<TestType>{0, 2, 6, 8});
}

TEMPLATE_TEST_CASE("bilinear 4 -> 2 by hand", "[resample][unit]", float, double) {
  // Sources at 2 i + 1/2: between 0 and 1, between 2 and 3.
  REQUIRE(resample<TestType>({0, 2, 6, 16}, {1, 4}, {1, 2}, Resampling::bilinear) ==
          std::vector<TestType>{1, 11});
}

TEMPLATE_TEST_CASE("bilinear 2 x 2 -> 4 x 4 by hand", "[resample][unit]", float, double) {
  // rows of sources 0, .25, .75, 1; value = 16 y + 8 x
  const auto out = resample<TestType>({0, 8, 16, 24}, {2, 2}, {4, 4}, Resampling::bilinear);
  const TestType at[] = {0, 0.25, 0.75, 1};
  for (std::size_t y = 0; y < 4; ++y) {
    for (std::size_t x = 0; x < 4; ++x) REQUIRE(out[4 * y + x] == 16 * at[y] + 8 * at[x]);
  }
}

TEMPLATE_TEST_CASE("one cell fills everything", "[resample][unit]", float, double) {
  for (const auto mode : all_modes) {
    REQUIRE(resample<TestType>({7}, {1, 1}, {2, 3}, mode) == std::vector<TestType>(6, 7));
  }
}

TEMPLATE_TEST_CASE("area 4 -> 2 and 3 -> 2 by hand", "[resample][unit]", float, double) {
  REQUIRE(resample<TestType>({1, 2, 3, 4}, {1, 4}, {1, 2}, Resampling::mass) ==
          std::vector<TestType>{3, 7});
  REQUIRE(resample<TestType>({1, 2, 3, 4}, {1, 4}, {1, 2}, Resampling::mean) ==
          std::vector<TestType>{1.5, 3.5});
  // A target covers 3/2 sources: 1 and half of the second; half of it and the third.
  REQUIRE(resample<TestType>({2, 4, 8}, {1, 3}, {1, 2}, Resampling::mass) ==
          std::vector<TestType>{4, 10});
  // repeat reduces like mean
  REQUIRE(resample<TestType>({1, 2, 3, 4}, {4, 1}, {2, 1}, Resampling::repeat) ==
          std::vector<TestType>{1.5, 3.5});
}

TEMPLATE_TEST_CASE("repeat 2 -> 5 by hand", "[resample][unit]", float, double) {
  // i * 2 / 5 = 0, 0, 0, 1, 1
  REQUIRE(resample<TestType>({3, 9}, {1, 2}, {1, 5}, Resampling::repeat) ==
          std::vector<TestType>{3, 3, 3, 9, 9});
}

TEMPLATE_TEST_CASE("sample takes the middle by hand", "[resample][unit]", float, double) {
  // (2 i + 1) * 5 / 4 = 1, 3; of two cells in the middle the later one.
  REQUIRE(resample<TestType>({3, 9, 4, 7, 5}, {1, 5}, {1, 2}, Resampling::sample) ==
          std::vector<TestType>{9, 7});
  REQUIRE(resample<TestType>({1, 2, 3, 4}, {4, 1}, {2, 1}, Resampling::sample) ==
          std::vector<TestType>{2, 4});
  REQUIRE(resample<TestType>({3, 9}, {1, 2}, {1, 5}, Resampling::sample) ==
          std::vector<TestType>{3, 3, 3, 9, 9});
}

TEMPLATE_TEST_CASE("any ratio follows the definition", "[resample][law]", float, double) {
  Random random(101);
  INFO(random.note());
  for (int round = 0; round < 60; ++round) {
    const GridSize from = random.grid(1, 23);
    const GridSize to = random.grid(1, 37);
    const auto values = random_values<TestType>(random, from.cells());
    for (const auto mode : all_modes) {
      CAPTURE(from.height, from.width, to.height, to.width, static_cast<int>(mode));
      const auto out = resample<TestType>(values, from, to, mode);
      double worst = 0;
      for (Index cell = 0; cell < to.cells(); ++cell) {
        double expected = 0;
        for (Index k = 0; k < from.cells(); ++k) {
          expected += weight(from.height, to.height, mode, cell / to.width, k / from.width) *
                      weight(from.width, to.width, mode, cell % to.width, k % from.width) *
                      static_cast<double>(values[static_cast<std::size_t>(k)]);
        }
        const auto got = static_cast<double>(out[static_cast<std::size_t>(cell)]);
        worst = std::max(worst, std::abs(got - expected) / (1 + expected));
      }
      REQUIRE(worst < tolerance<TestType>);
    }
  }
}

TEMPLATE_TEST_CASE("area sums keep the total and means keep constants", "[resample][law]", float,
                   double) {
  Random random(102);
  INFO(random.note());
  for (int round = 0; round < 50; ++round) {
    const GridSize from = random.grid(1, 40);
    const GridSize to{random.integer(1, from.height), random.integer(1, from.width)};
    CAPTURE(from.height, from.width, to.height, to.width);
    if (to.height == from.height && to.width == from.width) continue;
    const auto values = random_values<TestType>(random, from.cells());
    const auto sums = resample<TestType>(values, from, to, Resampling::mass);
    REQUIRE(total(sums) == Approx(total(values)).epsilon(tolerance<TestType>));
    const std::vector<TestType> constant(static_cast<std::size_t>(from.cells()), TestType(0.3));
    for (const auto mode : {Resampling::mean, Resampling::bilinear, Resampling::repeat}) {
      for (const TestType value : resample<TestType>(constant, from, to, mode)) {
        REQUIRE(static_cast<double>(value) == Approx(0.3).epsilon(tolerance<TestType>));
      }
    }
  }
}

TEMPLATE_TEST_CASE("sums tell the total of a resampled map", "[resample][law]", float, double) {
  Random random(103);
  INFO(random.note());
  for (int round = 0; round < 50; ++round) {
    const GridSize from = random.grid(1, 20);
    const GridSize to = random.grid(1, 30);
    const auto values = random_values<TestType>(random, from.cells());
    for (const auto mode : all_modes) {
      const Resampler<TestType> resampler(from, to, mode);
      REQUIRE(static_cast<Index>(resampler.sums().size()) == from.cells());
      double expected = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        expected += static_cast<double>(values[i]) * static_cast<double>(resampler.sums()[i]);
      }
      CAPTURE(from.height, from.width, to.height, to.width, static_cast<int>(mode));
      REQUIRE(total(resample<TestType>(values, from, to, mode)) ==
              Approx(expected).epsilon(tolerance<TestType>));
    }
  }
}

TEMPLATE_TEST_CASE("the same grid gives the same bits in every mode", "[resample][law]", float,
                   double) {
  Random random(104);
  INFO(random.note());
  for (const GridSize grid : {GridSize{1, 1}, {1, 7}, {5, 1}, {6, 9}, {33, 17}}) {
    const auto values = random_values<TestType>(random, grid.cells());
    for (const auto mode : all_modes) {
      REQUIRE(resample<TestType>(values, grid, grid, mode) == values);
    }
  }
}

TEMPLATE_TEST_CASE("a base is added", "[resample][law]", float, double) {
  Random random(105);
  INFO(random.note());
  for (const GridSize to : {GridSize{11, 13}, {5, 7}, {2, 3}, {1, 20}}) {
    const GridSize from{5, 7};
    const auto values = random_values<TestType>(random, from.cells());
    const auto base = random_values<TestType>(random, to.cells());
    const Resampler<TestType> resampler(from, to, Resampling::mass);
    std::vector<TestType> scratch(static_cast<std::size_t>(resampler.scratch_size()));
    std::vector<TestType> sum(base.size()), alone(base.size());
    resampler.apply(values.data(), base.data(), sum.data(), scratch.data());
    resampler.apply(values.data(), alone.data());
    for (std::size_t i = 0; i < sum.size(); ++i) {
      REQUIRE(static_cast<double>(sum[i]) ==
              Approx(static_cast<double>(base[i]) + static_cast<double>(alone[i]))
                  .epsilon(tolerance<TestType>));
    }
  }
}

TEST_CASE("resampling an empty side is refused", "[resample]") {
  REQUIRE_THROWS_WITH(AxisResampler<float>(0, 3, Resampling::mean),
                      "Resampler: sides must be >= 1, got 0 -> 3");
  REQUIRE_THROWS_AS(Resampler<double>({4, 4}, {4, 0}, Resampling::bilinear), std::invalid_argument);
}

TEMPLATE_TEST_CASE("equal resamplers are built once", "[resample][cache]", float, double) {
  const auto before = resampler_statistics<TestType>();
  const auto first = cached_resampler<TestType>({19, 23}, {61, 59}, Resampling::bilinear);
  const auto again = cached_resampler<TestType>({19, 23}, {61, 59}, Resampling::bilinear);
  const auto other = cached_resampler<TestType>({19, 23}, {61, 59}, Resampling::repeat);
  const auto after = resampler_statistics<TestType>();
  REQUIRE(first == again);
  REQUIRE(first != other);
  REQUIRE(first->from() == GridSize{19, 23});
  REQUIRE(first->to() == GridSize{61, 59});
  REQUIRE(after.hits - before.hits == 1);
  REQUIRE(after.misses - before.misses == 2);
}
