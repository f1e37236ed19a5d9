// SPDX-License-Identifier: MIT
#include <cstdint>
#include <diffseg/attention/detail/sparse_rows.hpp>
#include <limits>
#include <vector>

#include "support/catch.hpp"

using namespace diffseg;
using namespace diffseg::detail;

TEMPLATE_TEST_CASE("ascending columns are told from all others", "[sparse_rows][unit]",
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

TEST_CASE("a row is scattered into its places", "[sparse_rows][unit]") {
  const std::vector<double> values = {0.5, 0.25};
  const std::vector<std::int64_t> columns = {3, 1};
  std::vector<double> row = {1, 2, 3, 4};
  scatter_row(values.data(), columns.data(), 2, 2.0, 0.125, row.data());
  REQUIRE(row == std::vector<double>{1, 2.25, 3, 4.75});
}
