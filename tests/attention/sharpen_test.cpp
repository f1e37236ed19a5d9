// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstring>
#include <diffseg/attention/sharpen.hpp>
#include <diffseg/core/parallel.hpp>
#include <limits>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"

using namespace diffseg;
using support::complaint;
using support::Contains;
using support::Random;

TEMPLATE_TEST_CASE("powers of two maps by hand", "[sharpen][unit]", float, double) {
  Matrix<TestType> rows(2, 2);
  rows << TestType(0.75), TestType(0.25), TestType(0.2), TestType(0.8);
  const Maps<TestType> maps({1, 2}, rows);
  // 9 : 1, and 1 : 16; the roots of 9 : 1 are 3 : 1 again.
  const Maps<TestType> square = Sharpen{.power = 2}(maps);
  REQUIRE(square.rows()(0, 0) == Approx(0.9));
  REQUIRE(square.rows()(0, 1) == Approx(0.1));
  REQUIRE(square.rows()(1, 0) == Approx(1.0 / 17));
  const Maps<TestType> back = Sharpen{.power = 0.5}(square);
  REQUIRE(back.rows()(0, 0) == Approx(0.75));
  REQUIRE_NOTHROW(Sharpen{.power = 1.0 / 16}(maps));
  REQUIRE(Sharpen{.power = 16, .floor = 1e-3}(maps).rows()(1, 0) == Approx(1e-3));
}

TEMPLATE_TEST_CASE("a power of one changes and copies nothing", "[sharpen][law]", float, double) {
  Random random(2301);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {5, 7});
  REQUIRE(&Sharpen{}(maps).rows() == &maps.rows());
}

TEMPLATE_TEST_CASE("sharpened maps are maps with the order of their numbers", "[sharpen][law]",
                   float, double) {
  Random random(2302);
  INFO(random.note());
  for (int round = 0; round < 10; ++round) {
    const auto maps = support::random_maps<TestType>(random, random.grid(1, 9), 3, 0.5, 2);
    const double power = random.uniform(0.1, 4);
    Maps<TestType> out = maps;
    Sharpen{.power = power}(out, out);
    REQUIRE(out.grid() == maps.grid());
    for (Index row = 0; row < maps.tokens(); ++row) {
      const auto expected = maps.rows().row(row).template cast<double>().array().pow(power).eval();
      const auto found = out.rows().row(row).template cast<double>().array();
      REQUIRE(((found - expected / expected.sum()).abs() <= 1e-6 + 1e-5 * found).all());
      REQUIRE(found.sum() == Approx(1).epsilon(1e-5));
      REQUIRE(found.minCoeff() > 0);
    }
  }
}

TEMPLATE_TEST_CASE("sharpen has the same bits for any number of threads", "[sharpen][law]", float,
                   double) {
  Random random(2303);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {11, 13});
  const Maps<TestType> expected = Sharpen{.power = 1.5}(maps);
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    const Maps<TestType> found = Sharpen{.power = 1.5}(maps);
    REQUIRE(std::memcmp(found.rows().data(), expected.rows().data(),
                        sizeof(TestType) * static_cast<std::size_t>(expected.rows().size())) == 0);
  }
}

TEST_CASE("what cannot be sharpened is refused", "[sharpen]") {
  Random random(2304);
  const auto maps = support::random_maps<float>(random, {2, 3});
  for (const double power :
       {0.0, -1.0, 0.0624, 16.01, 17.0, std::numeric_limits<double>::quiet_NaN()}) {
    REQUIRE_THAT(complaint([&] { (void)Sharpen{.power = power}(maps); }),
                 Contains("Sharpen: power must be in 1/16 .. 16, got "));
  }
  REQUIRE_THAT(complaint([&] { (void)Sharpen{.floor = 0}(maps); }), Contains("Sharpen: floor"));
  REQUIRE_THAT(complaint([&] { (void)Sharpen{}(Maps<float>{}); }), Contains("Sharpen: maps"));
}
