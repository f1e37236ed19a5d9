// SPDX-License-Identifier: MIT
#include <cstdint>
#include <diffseg/attention/detail/head_sum.hpp>
#include <diffseg/attention/detail/scatter_row.hpp>
#include <limits>
#include <vector>

#include "support/catch.hpp"

using namespace diffseg;
using namespace diffseg::detail;

TEMPLATE_TEST_CASE("ascending columns are told from all others", "[scatter_row][unit]",
                   std::int32_t, std::int64_t) {
  const auto ascending = [](const std::vector<TestType>& columns) {
    return is_ascending(columns.data(), static_cast<Index>(columns.size()), 7);
  };
  REQUIRE(ascending({}));
  REQUIRE(ascending({6}));
  REQUIRE(ascending({0, 1, 5, 6}));
  REQUIRE_FALSE(ascending({-1, 2}));
  REQUIRE_FALSE(ascending({2, 7}));
  REQUIRE_FALSE(ascending({2, 2}));
  REQUIRE_FALSE(ascending({3, 1, 6}));
  REQUIRE_FALSE(ascending({0, std::numeric_limits<TestType>::max(), 3}));
}

TEMPLATE_TEST_CASE("numbers that need a closer look are found", "[scatter_row][unit]", float,
                   double, Eigen::half, Eigen::bfloat16) {
  const auto plain = [](double value) {
    const std::vector<TestType> values = {TestType(0.5F), static_cast<TestType>(value),
                                          TestType(0)};
    return is_plain_attention(values.data(), 3);
  };
  REQUIRE(is_plain_attention(static_cast<const TestType*>(nullptr), 0));
  REQUIRE(plain(1));
  REQUIRE_FALSE(plain(3));  // sound, but told from infinity only by a closer look
  REQUIRE_FALSE(plain(-0.25));
  REQUIRE_FALSE(plain(std::numeric_limits<double>::infinity()));
  REQUIRE_FALSE(plain(std::numeric_limits<double>::quiet_NaN()));
}

TEST_CASE("a row is scattered into its places", "[scatter_row][unit]") {
  const std::vector<Eigen::half> values = {Eigen::half(0.5F), Eigen::half(0.25F)};
  const std::vector<std::int64_t> columns = {3, 1};
  std::vector<double> row = {1, 2, 3, 4};
  scatter_row(values.data(), columns.data(), 2, 2.0, 0.125, row.data());
  REQUIRE(row == std::vector<double>{1, 2.25, 3, 4.75});
}
