// SPDX-License-Identifier: MIT
#include <algorithm>
#include <diffseg/merge/sampling_grid.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using enum AnchorPlacement;

namespace {

std::vector<Index> steps(Index start, Index step, Index count) {
  std::vector<Index> result;
  for (Index k = 0; k < count; ++k) result.push_back(start + step * k);
  return result;
}

}  // namespace

TEST_CASE("16 published anchors of 64 are 1 5 .. 61", "[sampling_grid][unit]") {
  // step = 63 / 15 = 4, start = (63 - 60) / 2 = 1
  REQUIRE(anchor_positions(64, 16, published) == steps(1, 4, 16));
}

TEST_CASE("cell-centred anchors equal the published ones at 16 of 64", "[sampling_grid][unit]") {
  // floor((k + 1/2) 4 - 1/2) = 4 k + 1
  REQUIRE(anchor_positions(64, 16, cell_centred) == steps(1, 4, 16));
}

TEST_CASE("the published anchors leave a part out where cell-centred ones do not",
          "[sampling_grid][unit]") {
  SECTION("33 of 64: step = 63 / 32 = 1, start = (63 - 32) / 2 = 15: half of the side") {
    REQUIRE(anchor_positions(64, 33, published) == steps(15, 1, 33));
    // floor(32 / 33 - 1/2) = 0, floor(32.5 * 64 / 33 - 1/2) = floor(62.53) = 62
    const auto centred = anchor_positions(64, 33, cell_centred);
    REQUIRE(centred.front() == 0);
    REQUIRE(centred.back() == 62);
  }
  SECTION("8 of 64: step = 63 / 7 = 9, start = 0: up to the border") {
    REQUIRE(anchor_positions(64, 8, published) == steps(0, 9, 8));
    REQUIRE(anchor_positions(64, 8, cell_centred) == steps(3, 8, 8));  // floor(8 k + 3.5)
  }
}

TEST_CASE("as many anchors as cells are all cells and one is the middle", "[sampling_grid][unit]") {
  for (const auto placement : {cell_centred, published}) {
    REQUIRE(anchor_positions(64, 64, placement) == steps(0, 1, 64));
    REQUIRE(anchor_positions(64, 1, placement) == std::vector<Index>{31});
    REQUIRE(anchor_positions(5, 1, placement) == std::vector<Index>{2});
    REQUIRE(anchor_positions(1, 1, placement) == std::vector<Index>{0});
  }
}

TEST_CASE("anchors of a rectangle are row-major tokens", "[sampling_grid][unit]") {
  // rows of 4, 2 anchors: floor(1 - .5) = 0, floor(3 - .5) = 2; columns of 9, 3: 1, 4, 7
  const SamplingGrid grid({4, 9}, {2, 3}, cell_centred);
  REQUIRE(grid.tokens() == std::vector<Index>{1, 4, 7, 19, 22, 25});
}

TEST_CASE("cell-centred anchors cover every side evenly", "[sampling_grid][law]") {
  for (Index side = 1; side <= 70; ++side) {
    for (Index count = 1; count <= side; ++count) {
      const auto positions = anchor_positions(side, count, cell_centred);
      CAPTURE(side, count);
      REQUIRE(std::is_sorted(positions.begin(), positions.end()));
      REQUIRE(std::adjacent_find(positions.begin(), positions.end()) == positions.end());
      // Each lies in its own share [k, k + 1) * side / count.
      for (Index k = 0; k < count; ++k) {
        const Index position = positions[static_cast<std::size_t>(k)];
        REQUIRE((position + 1) * count > k * side);
        REQUIRE(position * count < (k + 1) * side);
      }
    }
  }
}

TEST_CASE("published anchors stay on the side", "[sampling_grid][law]") {
  for (Index side = 1; side <= 70; ++side) {
    for (Index count = 1; count <= side; ++count) {
      const auto positions = anchor_positions(side, count, published);
      CAPTURE(side, count);
      REQUIRE(positions.front() >= 0);
      REQUIRE(positions.back() < side);
      REQUIRE(std::adjacent_find(positions.begin(), positions.end()) == positions.end());
    }
  }
}

TEST_CASE("anchors outside the side are refused with the range", "[sampling_grid]") {
  const std::string rule = "SamplingGrid: anchors per side must be in 1..";
  for (const auto placement : {cell_centred, published}) {
    REQUIRE_THROWS_WITH(SamplingGrid({64, 64}, {65, 16}, placement), rule + "64, got 65");
    REQUIRE_THROWS_WITH(SamplingGrid({64, 32}, {33, 33}, placement), rule + "32, got 33");
    REQUIRE_THROWS_WITH(SamplingGrid({64, 64}, {16, 0}, placement), rule + "64, got 0");
    REQUIRE_THROWS_AS(SamplingGrid({64, 64}, {-1, 1}, placement), std::invalid_argument);
    REQUIRE_THROWS_AS(SamplingGrid({0, 0}, {1, 1}, placement), std::invalid_argument);
  }
}

TEST_CASE("equal sampling grids are built once", "[sampling_grid][cache]") {
  const auto before = sampling_grid_statistics();
  const auto first = cached_sampling_grid({61, 47}, {13, 11}, cell_centred);
  const auto again = cached_sampling_grid({61, 47}, {13, 11}, cell_centred);
  const auto other = cached_sampling_grid({61, 47}, {13, 11}, published);
  const auto turned = cached_sampling_grid({47, 61}, {11, 13}, cell_centred);
  const auto after = sampling_grid_statistics();
  REQUIRE(first == again);
  REQUIRE(first != other);
  REQUIRE(first != turned);
  REQUIRE(after.hits - before.hits == 1);
  REQUIRE(after.misses - before.misses == 3);
  REQUIRE(first->tokens() == SamplingGrid({61, 47}, {13, 11}, cell_centred).tokens());
}

TEST_CASE("a refused sampling grid is not kept", "[sampling_grid][cache]") {
  const auto before = sampling_grid_statistics();
  REQUIRE_THROWS_AS(cached_sampling_grid({2, 2}, {3, 3}, cell_centred), std::invalid_argument);
  REQUIRE(sampling_grid_statistics().misses == before.misses);
}
