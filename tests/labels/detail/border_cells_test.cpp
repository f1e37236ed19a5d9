// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <diffseg/labels/detail/border_cells.hpp>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

TEST_CASE("borders are marked left of and above them", "[borders][unit]") {
  // 0 0 1
  // 0 2 1
  const std::vector<std::int32_t> values = {0, 0, 1, 0, 2, 1};
  REQUIRE(border_cells({2, 3}, values) == std::vector<char>{0, 1, 0, 1, 1, 0});
  REQUIRE(border_cells({1, 3}, std::vector<std::int32_t>{7, 7, 7}) == std::vector<char>{0, 0, 0});
  // The end of a line does not touch the start of the next.
  REQUIRE(border_cells({2, 2}, std::vector<std::int32_t>{0, 1, 0, 1}) ==
          std::vector<char>{1, 0, 1, 0});
}

TEST_CASE("what is not known has no border", "[borders][unit]") {
  const std::vector<std::int32_t> values = {0, 0, 1, 0, 2, 1};
  const std::vector<std::int32_t> known = {5, 0, 0, 0, -1, 0};
  REQUIRE(border_cells({2, 3}, values, known) == std::vector<char>{0, 1, 0, 0, 0, 0});
}

TEST_CASE("cells are near within a disc", "[borders][unit]") {
  const GridSize size{3, 4};
  const std::vector<char> corner = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  // At distances 0, 1, sqrt 2, 2 and sqrt 5 of the corner.
  const std::vector<char> others = {1, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0};
  REQUIRE(share_near(size, others, corner, 0) == 0.2);
  REQUIRE(share_near(size, others, corner, 1) == 0.4);
  REQUIRE(share_near(size, others, corner, 2) == 0.8);
  REQUIRE(share_near(size, others, corner, 3) == 1);
  REQUIRE(share_near(size, corner, others, 0) == 1);
  // The end of a line is far from the start of the next.
  const std::vector<char> left = {0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
  const std::vector<char> right = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  REQUIRE(share_near(size, left, right, 2) == 0);
}

TEST_CASE("without cells there is nothing to be near", "[borders][unit]") {
  const std::vector<char> none(4, 0);
  const std::vector<char> one = {0, 0, 1, 0};
  REQUIRE(share_near({2, 2}, none, none, 2) == 1);
  REQUIRE(share_near({2, 2}, none, one, 2) == 0);
  REQUIRE(share_near({2, 2}, one, none, 2) == 0);
  REQUIRE_THROWS_WITH(share_near({2, 2}, one, one, -1), "share_near: radius must be >= 0, got -1");
}

TEST_CASE("shares are those of all distances", "[borders][law]") {
  Random random(2101);
  INFO(random.note());
  for (int trial = 0; trial < 20; ++trial) {
    const GridSize size = random.grid(1, 9);
    std::vector<char> from, to;
    for (Index i = 0; i < size.cells(); ++i) {
      from.push_back(random.uniform() < 0.4 ? 1 : 0);
      to.push_back(random.uniform() < 0.1 ? 1 : 0);
    }
    from.front() = 1;
    for (const Index radius : {0, 1, 2, 3, 12}) {
      double near = 0;
      for (Index a = 0; a < size.cells(); ++a) {
        double least = 1e9;
        for (Index b = 0; b < size.cells(); ++b) {
          if (to[static_cast<std::size_t>(b)] == 0) continue;
          least = std::min(least, std::hypot(static_cast<double>(a / size.width - b / size.width),
                                             static_cast<double>(a % size.width - b % size.width)));
        }
        near +=
            from[static_cast<std::size_t>(a)] != 0 && least <= static_cast<double>(radius) ? 1 : 0;
      }
      const auto all = static_cast<double>(std::count(from.begin(), from.end(), 1));
      REQUIRE(share_near(size, from, to, radius) == near / all);
    }
  }
}
