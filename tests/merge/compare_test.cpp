// SPDX-License-Identifier: MIT
#include <algorithm>
#include <diffseg/core/parallel.hpp>
#include <diffseg/merge/compare.hpp>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

template <class Scalar>
struct Pair {
  Index anchor, map;
  Scalar value;
  friend bool operator==(const Pair&, const Pair&) = default;
};

template <class Scalar>
std::vector<Pair<Scalar>> pairs(const Similarities<Scalar>& similarities, double below = 1e300) {
  using Matrix = Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>;
  std::vector<Pair<Scalar>> result;
  for (Index anchor = 0; anchor < similarities.divergences.rows(); ++anchor) {
    for (typename Matrix::InnerIterator it(similarities.divergences, anchor); it; ++it) {
      if (static_cast<double>(it.value()) < below) {
        result.push_back({anchor, it.col(), it.value()});
      }
    }
  }
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("compare finds the pairs that plain divergences find", "[compare][law]", float,
                   double) {
  Random random(701);
  INFO(random.note());
  for (const GridSize grid : {GridSize{5, 7}, {12, 17}, {1, 30}, {3, 3}}) {
    const auto maps = support::random_maps<TestType>(random, grid, 5, 0.4, 0.8);
    const GridSize anchors{std::min<Index>(grid.height, 4), std::min<Index>(grid.width, 3)};
    const double ceiling = 0.6;
    const auto found = Compare{.anchors = anchors, .ceiling = ceiling}(maps);
    CAPTURE(grid.height, grid.width);
    REQUIRE(found.anchors ==
            SamplingGrid(grid, anchors, Compare::Placement::cell_centred).tokens());
    REQUIRE(found.ceiling == ceiling);
    REQUIRE(&found.maps.rows() == &maps.rows());
    REQUIRE(found.divergences.rows() == anchors.cells());
    REQUIRE(found.divergences.cols() == grid.cells());
    const double tolerance = sizeof(TestType) == 4 ? 2e-4 : 1e-12;
    for (Index anchor = 0; anchor < anchors.cells(); ++anchor) {
      const auto row = [&](Index i) {
        return std::span(maps.rows().row(i).data(), static_cast<std::size_t>(maps.tokens()));
      };
      const Index own = found.anchors[static_cast<std::size_t>(anchor)];
      REQUIRE(found.divergences.coeff(anchor, own) == TestType(0));
      std::vector<char> stored(static_cast<std::size_t>(grid.cells()), 0);
      for (const auto& pair : pairs(found)) {
        if (pair.anchor == anchor) stored[static_cast<std::size_t>(pair.map)] = 1;
      }
      for (Index map = 0; map < grid.cells(); ++map) {
        const double expected = divergence<TestType>(row(own), row(map));
        const bool is_stored = stored[static_cast<std::size_t>(map)] != 0;
        if (expected < ceiling - tolerance) REQUIRE(is_stored);
        if (expected > ceiling + tolerance) REQUIRE_FALSE(is_stored);
        if (is_stored) {
          REQUIRE(static_cast<double>(found.divergences.coeff(anchor, map)) ==
                  Approx(expected).margin(tolerance));
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("raising the ceiling only adds pairs", "[compare][law]", float, double) {
  Random random(702);
  INFO(random.note());
  for (const GridSize grid : {GridSize{16, 24}, {9, 13}}) {
    const auto maps = support::random_maps<TestType>(random, grid, 6, 0.3, 0.7);
    const auto all = Compare{.anchors = {5, 8}, .ceiling = 1e30}(maps);
    REQUIRE(all.divergences.nonZeros() == 40 * grid.cells());
    Index last = 0;
    for (const double ceiling : {1e-6, 0.1, 0.3, 0.6, 0.9, 1.3, 3.0}) {
      const auto found = Compare{.anchors = {5, 8}, .ceiling = ceiling}(maps);
      CAPTURE(grid.height, grid.width, ceiling);
      REQUIRE(pairs(found) == pairs(all, ceiling));
      REQUIRE(found.divergences.nonZeros() >= last);
      REQUIRE(found.evaluated >= found.divergences.nonZeros());
      REQUIRE(found.evaluated <= all.evaluated);
      last = found.divergences.nonZeros();
    }
  }
}

TEMPLATE_TEST_CASE("placement is the caller's choice", "[compare][unit]", float, double) {
  Random random(703);
  const auto maps = support::random_maps<TestType>(random, {8, 9});
  const auto found = Compare{.anchors = {3, 4}, .placement = Compare::Placement::published}(maps);
  // rows: step 7 / 2 = 3, start (7 - 6) / 2 = 0; columns: step 8 / 3 = 2, start (8 - 6) / 2 = 1
  REQUIRE(found.anchors == std::vector<Index>{1, 3, 5, 7, 28, 30, 32, 34, 55, 57, 59, 61});
}

TEMPLATE_TEST_CASE("compare has the same bits for any number of threads", "[compare][law]", float,
                   double) {
  Random random(704);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {14, 19}, 5, 0.4, 0.8);
  const Compare stage{.anchors = {7, 6}, .ceiling = 0.9};
  Similarities<TestType> similarities = stage(maps);
  const auto expected = pairs(similarities);
  const Index evaluated = similarities.evaluated;
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    stage(maps, similarities);
    REQUIRE(pairs(similarities) == expected);
    REQUIRE(similarities.evaluated == evaluated);
  }
}

TEMPLATE_TEST_CASE("anchors that fit are as many as cells at most", "[compare][law]", float,
                   double) {
  Random random(707);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {3, 9});
  for (const auto& [wanted, used] : {std::pair<GridSize, GridSize>{{16, 16}, {3, 9}},
                                     {{4, 5}, {3, 5}},
                                     {{2, 10}, {2, 9}},
                                     {{2, 4}, {2, 4}}}) {
    CAPTURE(wanted.height, wanted.width);
    const auto found = Compare{.anchors = wanted, .fit = true}(maps);
    const auto expected = Compare{.anchors = used}(maps);
    REQUIRE(found.anchors == expected.anchors);
    REQUIRE(pairs(found) == pairs(expected));
  }
  REQUIRE_THROWS_WITH((Compare{.anchors = {4, 0}, .fit = true}(maps)),
                      "Compare: anchors must be within 1 x 1 .. 3 x 9, got 4 x 0");
}

TEMPLATE_TEST_CASE("what cannot be compared is refused", "[compare]", float, double) {
  using Limits = std::numeric_limits<double>;
  Random random(705);
  const auto maps = support::random_maps<TestType>(random, {8, 9});
  const std::string range = "Compare: anchors must be within 1 x 1 .. 8 x 9, got ";
  REQUIRE_THROWS_WITH(Compare{}(maps), range + "16 x 16");
  REQUIRE_THROWS_WITH((Compare{.anchors = {8, 10}}(maps)), range + "8 x 10");
  REQUIRE_THROWS_WITH((Compare{.anchors = {0, 4}}(maps)), range + "0 x 4");
  for (const double ceiling : {0.0, -1.0, Limits::quiet_NaN(), Limits::infinity()}) {
    REQUIRE_THROWS_WITH((Compare{.anchors = {2, 2}, .ceiling = ceiling}(maps)),
                        support::Contains("Compare: ceiling must be > 0 and finite"));
  }
  const Compare stage{.anchors = {2, 2}};
  REQUIRE_THROWS_AS(stage(Maps<TestType>{}), std::invalid_argument);
  REQUIRE_THROWS_WITH(stage(Maps<TestType>({2, 3}, maps.rows())),
                      "Maps: rows must be [T x T] for a grid of 2 x 3 cells, got 72 x 72");
  Matrix<TestType> rows = maps.rows();
  rows(70, 3) = 0;
  REQUIRE_THROWS_WITH(stage(Maps<TestType>({8, 9}, rows)),
                      "Compare: maps must be positive, finite and at most 1, row 70 is not");
}
