// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdint>
#include <diffseg/merge/detail/packed_rows.hpp>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;

TEMPLATE_TEST_CASE("rows are packed with their logarithms and padded with ones",
                   "[packed_rows][law]", float, double) {
  support::Random random(402);
  INFO(random.note());
  constexpr Index lanes = PackedRows<TestType>::lanes;
  for (Index width = 1; width <= 3 * lanes + 1; ++width) {
    PackedRows<TestType> packed;
    packed.resize(2, width);
    REQUIRE(packed.packets() == (width + lanes - 1) / lanes);
    std::vector<TestType> values;
    for (Index i = 0; i < width; ++i)
      values.push_back(static_cast<TestType>(random.uniform(0.001, 1)));
    REQUIRE(packed.pack(1, values.data()));
    REQUIRE(reinterpret_cast<std::uintptr_t>(packed.row(1)) % (sizeof(TestType) * lanes) == 0);
    for (Index i = 0; i < packed.packets() * lanes; ++i) {
      const TestType* packet = packed.row(1) + 2 * (i / lanes) * lanes + i % lanes;
      const TestType value = i < width ? values[static_cast<std::size_t>(i)] : TestType(1);
      REQUIRE(packet[0] == value);
      REQUIRE(static_cast<double>(packet[lanes]) ==
              Approx(std::log(static_cast<double>(value)))
                  .epsilon(4 * std::numeric_limits<TestType>::epsilon()));
    }
  }
}

TEMPLATE_TEST_CASE("a row with a number outside 0 .. 2 is not packed", "[packed_rows][law]", float,
                   double) {
  using Limits = std::numeric_limits<TestType>;
  for (const Index width : {Index{1}, Index{7}, Index{16}, Index{37}}) {
    PackedRows<TestType> packed;
    packed.resize(1, width);
    std::vector<TestType> values(static_cast<std::size_t>(width), TestType(0.5));
    REQUIRE(packed.pack(0, values.data()));
    for (TestType& value : values) {
      for (const TestType bad : {TestType(0), TestType(-0.5), Limits::quiet_NaN(),
                                 Limits::infinity(), -Limits::infinity(), TestType(2)}) {
        value = bad;
        REQUIRE_FALSE(packed.pack(0, values.data()));
      }
      value = Limits::min();
      REQUIRE(packed.pack(0, values.data()));
      value = TestType(0.5);
    }
  }
}

TEST_CASE("a row that holds subnormal numbers keeps the logarithms of the others",
          "[packed_rows][unit]") {
  constexpr Index lanes = PackedRows<float>::lanes;
  PackedRows<float> packed;
  packed.resize(1, 3);
  const float values[] = {0.5F, std::numeric_limits<float>::denorm_min(), 0.25F};
  REQUIRE(packed.pack(0, values));
  const float* row = packed.row(0);
  const auto log_at = [&](Index i) { return row[(2 * (i / lanes) + 1) * lanes + i % lanes]; };
  REQUIRE(log_at(0) == Approx(std::log(0.5)));
  REQUIRE(log_at(1) <= Approx(std::log(std::numeric_limits<float>::min())));
  REQUIRE(log_at(2) == Approx(std::log(0.25)));
}
