// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <diffseg/core/parallel.hpp>
#include <diffseg/labels/assign.hpp>
#include <diffseg/math/resample.hpp>
#include <limits>
#include <set>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

/// Proposals of the given rows, whatever the maps.
template <class Scalar>
Proposals<Scalar> proposals_of(GridSize grid, Matrix<Scalar> rows) {
  Proposals<Scalar> proposals;
  const Index cells = grid.cells();
  const auto share = Scalar(1) / static_cast<Scalar>(cells);
  proposals.maps = Maps<Scalar>(grid, Matrix<Scalar>::Constant(cells, cells, share));
  proposals.rows = std::move(rows);
  return proposals;
}

/// What Assign must equal: enlarge every proposal, then the first of the largest per pixel.
template <class Scalar>
std::vector<std::int32_t> enlarge_then_arg_max(const Proposals<Scalar>& proposals, GridSize size) {
  const Resampler<Scalar> resampler(proposals.maps.grid(), size, Resampling::bilinear);
  const Index count = proposals.rows.rows();
  Matrix<Scalar> large(count, size.cells());
  for (Index k = 0; k < count; ++k) {
    resampler.apply(proposals.rows.row(k).data(), large.row(k).data());
  }
  std::vector<std::int32_t> labels;
  for (Index pixel = 0; pixel < size.cells(); ++pixel) {
    Index best = 0;
    for (Index k = 1; k < count; ++k) {
      if (large(k, pixel) > large(best, pixel)) best = k;
    }
    labels.push_back(static_cast<std::int32_t>(best));
  }
  return labels;
}

template <class Scalar>
Index different(const Proposals<Scalar>& proposals, GridSize size) {
  const auto labels = Assign{.size = size, .ids = Assign::Ids::reference}(proposals);
  const auto expected = enlarge_then_arg_max(proposals, size);
  Index count = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) count += labels.values[i] != expected[i];
  return count;
}

/// Numbers that meet often: a few levels, so that exact and near ties are everywhere.
template <class Scalar>
Matrix<Scalar> close_rows(Random& random, Index count, Index cells) {
  Matrix<Scalar> rows(count, cells);
  for (Scalar& value : rows.reshaped()) {
    value = static_cast<Scalar>(0.1) * static_cast<Scalar>(random.integer(1, 4));
  }
  return rows;
}

}  // namespace

TEMPLATE_TEST_CASE("two proposals share a line by hand", "[assign][unit]", float, double) {
  // Cells 3 1 against 1 2: 3 - 2 t > 1 + t while t < 2/3.
  Matrix<TestType> rows(2, 2);
  rows << 3, 1, 1, 2;
  const auto labels = Assign{.size = {1, 8}}(proposals_of<TestType>({1, 2}, rows));
  // Eight pixels at t = -.375 .. 1.375 by .25, clamped: 0 0 .125 .375 .625 .875 1 1
  REQUIRE(labels.values == std::vector<std::int32_t>{0, 0, 0, 0, 0, 1, 1, 1});
  REQUIRE(labels.proposals == std::vector<std::int32_t>{0, 1});
  REQUIRE(labels.size == GridSize{1, 8});
}

TEMPLATE_TEST_CASE("compact ids skip proposals that win nowhere", "[assign][unit]", float, double) {
  Matrix<TestType> rows(4, 2);
  rows << 1, 1, 3, 1, 2, 1, 1, 3;
  const auto proposals = proposals_of<TestType>({1, 2}, rows);
  const auto compact = Assign{.size = {2, 2}}(proposals);
  REQUIRE(compact.values == std::vector<std::int32_t>{0, 1, 0, 1});
  REQUIRE(compact.proposals == std::vector<std::int32_t>{1, 3});
  REQUIRE(compact.count() == 2);
  const auto reference = Assign{.size = {2, 2}, .ids = Assign::Ids::reference}(proposals);
  REQUIRE(reference.values == std::vector<std::int32_t>{1, 3, 1, 3});
  REQUIRE(reference.proposals == std::vector<std::int32_t>{0, 1, 2, 3});
}

TEMPLATE_TEST_CASE("ties go to the lowest index", "[assign][unit]", float, double) {
  Random random(501);
  INFO(random.note());
  auto rows = support::random_rows<TestType>(random, 5, 12);
  rows.row(1) = rows.row(3) = rows.row(4) = rows.row(2).eval();
  for (const GridSize size : {GridSize{3, 4}, {31, 40}, {2, 2}}) {
    for (const std::int32_t label :
         Assign{.size = size, .ids = Assign::Ids::reference}(proposals_of<TestType>({3, 4}, rows))
             .values) {
      REQUIRE((label == 0 || label == 1));
    }
  }
  rows.row(0) = rows.row(1).eval();
  const auto labels = Assign{.size = {31, 40}}(proposals_of<TestType>({3, 4}, rows));
  REQUIRE(labels.proposals == std::vector<std::int32_t>{0});
}

TEMPLATE_TEST_CASE("assign equals enlarging everything and taking the arg max", "[assign][law]",
                   float, double) {
  Random random(502);
  INFO(random.note());
  for (int round = 0; round < 120; ++round) {
    const GridSize grid = round % 8 == 0   ? GridSize{1, random.integer(1, 9)}
                          : round % 8 == 1 ? GridSize{random.integer(1, 9), 1}
                                           : random.grid(2, 20);
    const GridSize size = round % 5 == 0   ? GridSize{random.integer(1, 3), random.integer(1, 3)}
                          : round % 5 == 1 ? GridSize{grid.height * 8, grid.width * 8}
                                           : random.grid(1, 120);
    const Index count = random.integer(1, 30);
    const auto rows = round % 3 == 0 ? close_rows<TestType>(random, count, grid.cells())
                                     : support::random_rows<TestType>(random, count, grid.cells(),
                                                                      3, random.uniform(0, 0.6));
    CAPTURE(grid.height, grid.width, size.height, size.width, count);
    REQUIRE(different(proposals_of<TestType>(grid, rows), size) == 0);
  }
}

TEMPLATE_TEST_CASE("assign meets ties within the last bit alike", "[assign][law]", float, double) {
  // Copies that differ by single units in the last place decide by the rounding alone.
  Random random(503);
  INFO(random.note());
  for (int round = 0; round < 20; ++round) {
    const GridSize grid = random.grid(2, 16);
    Matrix<TestType> rows(8, grid.cells());
    rows.row(0) = support::random_rows<TestType>(random, 1, grid.cells());
    for (Index k = 1; k < 8; ++k) {
      for (Index i = 0; i < grid.cells(); ++i) {
        rows(k, i) = std::nextafter(rows(0, i), TestType(random.integer(0, 1)));
      }
    }
    const GridSize size = random.grid(30, 130);
    CAPTURE(grid.height, grid.width, size.height, size.width);
    REQUIRE(different(proposals_of<TestType>(grid, rows), size) == 0);
  }
}

TEMPLATE_TEST_CASE("compact ids map back to reference ids", "[assign][law]", float, double) {
  Random random(504);
  INFO(random.note());
  for (int round = 0; round < 10; ++round) {
    const auto proposals =
        proposals_of<TestType>({7, 9}, support::random_rows<TestType>(random, 40, 63, 3));
    const GridSize size = random.grid(3, 40);
    const auto compact = Assign{.size = size}(proposals);
    const auto reference = Assign{.size = size, .ids = Assign::Ids::reference}(proposals);
    REQUIRE(std::is_sorted(compact.proposals.begin(), compact.proposals.end()));
    for (std::size_t i = 0; i < compact.values.size(); ++i) {
      REQUIRE(compact.proposals[static_cast<std::size_t>(compact.values[i])] ==
              reference.values[i]);
    }
    const std::set<std::int32_t> used(compact.values.begin(), compact.values.end());
    REQUIRE(static_cast<Index>(used.size()) == compact.count());
  }
}

TEMPLATE_TEST_CASE("assign has the same bits for any number of threads and reuses its storage",
                   "[assign][law]", float, double) {
  Random random(505);
  INFO(random.note());
  const auto proposals =
      proposals_of<TestType>({16, 24}, support::random_rows<TestType>(random, 12, 384));
  const auto expected = Assign{.size = {100, 130}}(proposals);
  Labels labels = expected;
  const auto* const place = labels.values.data();
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    std::fill(labels.values.begin(), labels.values.end(), -1);
    Assign{.size = {100, 130}}(proposals, labels);
    REQUIRE(labels.values == expected.values);
    REQUIRE(labels.values.data() == place);
  }
}

TEMPLATE_TEST_CASE("what cannot be assigned is refused", "[assign]", float, double) {
  Random random(506);
  const auto good = proposals_of<TestType>({2, 3}, support::random_rows<TestType>(random, 2, 6));
  REQUIRE_THROWS_WITH((Assign{.size = {0, 5}}(good)),
                      "Assign: size must be at least 1 x 1, got 0 x 5");
  REQUIRE_THROWS_WITH((Assign{.size = {5, -1}}(good)),
                      "Assign: size must be at least 1 x 1, got 5 x -1");
  REQUIRE_THROWS_AS((Assign{.size = {Index{1} << 40, Index{1} << 40}}(good)),
                    std::invalid_argument);
  REQUIRE_THROWS_WITH(Assign{}(proposals_of<TestType>({2, 3}, Matrix<TestType>(0, 6))),
                      "Assign: there must be at least one proposal, got 0");
  REQUIRE_THROWS_WITH(Assign{}(proposals_of<TestType>({2, 2}, good.rows)),
                      "Assign: proposals must have 4 cells, those of their maps, got 6");
  REQUIRE_THROWS_AS(Assign{}(Proposals<TestType>{}), std::invalid_argument);
  for (const TestType bad : {TestType(-1), std::numeric_limits<TestType>::quiet_NaN(),
                             std::numeric_limits<TestType>::infinity()}) {
    Matrix<TestType> rows = good.rows;
    rows.row(1).setConstant(bad);
    REQUIRE_THROWS_WITH(Assign{}(proposals_of<TestType>({2, 3}, rows)),
                        "Assign: proposals must be finite and >= 0, row 1 is not");
  }
}
