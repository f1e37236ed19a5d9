// SPDX-License-Identifier: MIT
#include <cstdint>
#include <diffseg/core/check.hpp>
#include <limits>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "support/complaint.hpp"

using diffseg::detail::checked_product;
using diffseg::detail::is_finite;
using diffseg::detail::require;

TEST_CASE("require joins its parts into the message", "[check]") {
  REQUIRE_NOTHROW(require(true, "never built"));
  REQUIRE_THROWS_AS(require(false, "rule"), std::invalid_argument);
  REQUIRE_THROWS_WITH(require(false, "Merge: threshold ", 2, " must be > 0, got ", -0.5),
                      "Merge: threshold 2 must be > 0, got -0.5");
}

TEST_CASE("message keeps the digits of a float", "[check]") {
  const float value = 0.1F + 0.2F;
  REQUIRE(std::stof(diffseg::detail::message(value)) == value);
}

TEMPLATE_TEST_CASE("is_finite knows every kind of number", "[check]", float, double) {
  using Limits = std::numeric_limits<TestType>;
  for (const TestType value : {TestType(0), TestType(-0.0), TestType(1), Limits::max(),
                               Limits::lowest(), Limits::min(), Limits::denorm_min()}) {
    REQUIRE(is_finite(value));
  }
  for (const TestType value : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(),
                               -Limits::quiet_NaN(), Limits::signaling_NaN()}) {
    REQUIRE_FALSE(is_finite(value));
  }
  STATIC_REQUIRE(is_finite(TestType(1)));
}

TEMPLATE_TEST_CASE("checked_product refuses what does not fit", "[check]", int, std::int64_t) {
  constexpr TestType max = std::numeric_limits<TestType>::max();
  REQUIRE(checked_product<TestType>(6, 7, "Stage") == 42);
  REQUIRE(checked_product<TestType>(max, 1, "Stage") == max);
  REQUIRE(checked_product<TestType>(max, 0, "Stage") == 0);
  REQUIRE(checked_product<TestType>(0, max, "Stage") == 0);
  REQUIRE(checked_product<TestType>(max / 2, 2, "Stage") == max - 1);
  REQUIRE_THROWS_AS(checked_product<TestType>(max / 2 + 1, 2, "Stage"), std::invalid_argument);
  REQUIRE_THROWS_AS(checked_product<TestType>(-1, 2, "Stage"), std::invalid_argument);
  REQUIRE_THROWS_AS(checked_product<TestType>(2, -1, "Stage"), std::invalid_argument);
  REQUIRE_THROWS_WITH(checked_product<TestType>(-3, 2, "Stage"), support::Contains("-3 x 2"));
}

TEST_CASE("product_fits never overflows itself", "[check]") {
  constexpr std::int64_t max = std::numeric_limits<std::int64_t>::max();
  using diffseg::detail::product_fits;
  STATIC_REQUIRE(product_fits<std::int64_t>({max, 1, 1}));
  STATIC_REQUIRE_FALSE(product_fits<std::int64_t>({max, 2}));
  STATIC_REQUIRE_FALSE(product_fits<std::int64_t>({std::int64_t{1} << 32, std::int64_t{1} << 31}));
  STATIC_REQUIRE(product_fits<std::int64_t>({std::int64_t{1} << 31, std::int64_t{1} << 31}));
  STATIC_REQUIRE(product_fits<std::int64_t>({max, max, 0}));
  STATIC_REQUIRE_FALSE(product_fits<std::int64_t>({0, -1}));
  STATIC_REQUIRE(product_fits<std::int64_t>({}));
}

TEST_CASE("require_count compares a container with its sizes", "[check]") {
  using diffseg::detail::require_count;
  REQUIRE_NOTHROW(require_count("Noun: numbers", 24, {2, 3, 4}));
  REQUIRE_THROWS_WITH(require_count("Noun: numbers", 23, {2, 3, 4}),
                      "Noun: numbers must be 24 for the sizes given, got 23");
  REQUIRE_THROWS_AS(require_count("Noun: numbers", 0, {std::ptrdiff_t{1} << 40, 1 << 30}),
                    std::invalid_argument);
}
