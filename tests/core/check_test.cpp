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

TEST_CASE("io_error is a runtime_error with its message", "[check]") {
  try {
    throw diffseg::io_error("a.npy: truncated");
  } catch (const std::runtime_error& error) {
    REQUIRE(std::string(error.what()) == "a.npy: truncated");
  }
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
