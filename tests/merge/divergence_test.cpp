// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <diffseg/merge/detail/pooling.hpp>
#include <diffseg/merge/divergence.hpp>
#include <limits>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

template <class Scalar>
using Sparse = Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>;

/// Grids with sides below, at and off the multiples of pooling blocks and packets.
const std::vector<GridSize> grids = {{1, 1}, {1, 3}, {5, 7}, {16, 24}, {33, 17}, {8, 8}, {9, 31}};

template <class Scalar>
std::span<const Scalar> row_of(const Matrix<Scalar>& rows, Index row) {
  return {rows.row(row).data(), static_cast<std::size_t>(rows.cols())};
}

std::vector<Index> all(Index count) {
  std::vector<Index> result(static_cast<std::size_t>(count));
  std::iota(result.begin(), result.end(), Index{0});
  return result;
}

/// A few rows, not ascending, the last one among them.
std::vector<Index> some(Random& random, Index count) {
  std::vector<Index> result = {count - 1};
  for (Index i = 0; i < 20; ++i) result.push_back(random.integer(0, count - 1));
  return result;
}

template <class Scalar>
Sparse<Scalar> below(const Matrix<Scalar>& rows, const std::vector<Index>& anchors,
                     const std::vector<Index>& order, GridSize grid, double ceiling,
                     Index* evaluated = nullptr) {
  Sparse<Scalar> result;
  DivergenceScratch<Scalar> scratch;
  const Index count = divergences_below<Scalar>(rows, anchors, order, Pooling(grid), ceiling,
                                                "Test", result, scratch);
  if (evaluated != nullptr) *evaluated = count;
  return result;
}

template <class Scalar>
struct Entry {
  Index anchor, row;
  Scalar value;
  friend bool operator==(const Entry&, const Entry&) = default;
};

template <class Scalar>
std::vector<Entry<Scalar>> entries(const Sparse<Scalar>& matrix, double ceiling = 1e300) {
  std::vector<Entry<Scalar>> result;
  for (Index anchor = 0; anchor < matrix.rows(); ++anchor) {
    for (typename Sparse<Scalar>::InnerIterator it(matrix, anchor); it; ++it) {
      if (static_cast<double>(it.value()) < ceiling) {
        result.push_back({anchor, it.col(), it.value()});
      }
    }
  }
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("divergence of two halves by hand", "[divergence][unit]", float, double) {
  // 1/2 [(1/2 - 1/4)(ln 2) + (1/2 - 3/4)(ln 2/3)] = 1/8 ln 3
  const std::vector<TestType> p = {TestType(0.5), TestType(0.5)};
  const std::vector<TestType> q = {TestType(0.25), TestType(0.75)};
  const double expected = std::log(3.0) / 8;
  REQUIRE(divergence<TestType>(p, q) == Approx(expected).epsilon(1e-14));
  REQUIRE(divergence<TestType>(q, p) == divergence<TestType>(p, q));
  REQUIRE(divergence<TestType>(p, p) == 0);
}

TEMPLATE_TEST_CASE("divergences of three maps by hand", "[divergence][unit]", float, double) {
  // p, q as above, r = (3/4, 1/4): D(p, r) = ln 3 / 8, D(q, r) = 1/2 (1/2 ln 3 + 1/2 ln 3).
  Matrix<TestType> rows(3, 2);
  rows << TestType(0.5), TestType(0.5), TestType(0.25), TestType(0.75), TestType(0.75),
      TestType(0.25);
  const auto found = below<TestType>(rows, {1, 0}, all(3), {1, 2}, 0.2);
  REQUIRE(found.nonZeros() == 5);  // all but D(q, r) = 0.549
  const auto list = entries(found);
  const auto eighth = static_cast<TestType>(std::log(3.0) / 8);
  const TestType expected[] = {eighth, 0, 0, eighth, eighth};
  const Index columns[] = {0, 1, 0, 1, 2};
  for (std::size_t i = 0; i < 5; ++i) {
    REQUIRE(list[i].row == columns[i]);
    REQUIRE(static_cast<double>(list[i].value) ==
            Approx(static_cast<double>(expected[i])).margin(1e-7));
  }
  REQUIRE(found.coeff(0, 1) == TestType(0));
  REQUIRE(found.coeff(1, 0) == TestType(0));
}

TEST_CASE("rows of two sizes are refused", "[divergence]") {
  const std::vector<float> two = {0.5F, 0.5F}, three = {0.2F, 0.3F, 0.5F};
  REQUIRE_THROWS_WITH(divergence<float>(two, three),
                      "divergence: rows must have one size, got 2 and 3");
}

TEMPLATE_TEST_CASE("a map is 0 from itself and as far there as back", "[divergence][law]", float,
                   double) {
  Random random(201);
  INFO(random.note());
  for (const GridSize grid : grids) {
    CAPTURE(grid.height, grid.width);
    const auto rows = support::random_rows<TestType>(random, 21, grid.cells(), 3);
    const auto found = below<TestType>(rows, all(21), all(21), grid, 1e30);
    REQUIRE(found.nonZeros() == 21 * 21);
    for (Index i = 0; i < 21; ++i) {
      REQUIRE(found.coeff(i, i) == TestType(0));
      for (Index j = 0; j < i; ++j) REQUIRE(found.coeff(i, j) == found.coeff(j, i));
      REQUIRE(divergence(row_of(rows, i), row_of(rows, i)) == 0);
      REQUIRE(divergence(row_of(rows, i), row_of(rows, 0)) ==
              divergence(row_of(rows, 0), row_of(rows, i)));
    }
  }
}

TEMPLATE_TEST_CASE("the pooled divergence never exceeds the full one", "[divergence][law]", float,
                   double) {
  Random random(202);
  INFO(random.note());
  for (int round = 0; round < 60; ++round) {
    const GridSize grid = round < 7 ? grids[static_cast<std::size_t>(round)] : random.grid(1, 40);
    CAPTURE(grid.height, grid.width);
    const auto rows = support::random_rows<TestType>(random, 8, grid.cells(), 3,
                                                     random.uniform(0, 1), random.uniform(0, 3));
    const Pooling pooling(grid);
    Matrix<TestType> pooled(8, pooling.blocks());
    std::vector<TestType> line(static_cast<std::size_t>(grid.width));
    for (Index i = 0; i < 8; ++i) {
      pooling.sum(rows.row(i).data(), pooled.row(i).data(), line.data());
      REQUIRE(static_cast<double>(pooled.row(i).sum()) == Approx(1).epsilon(1e-5));
    }
    for (Index i = 0; i < 8; ++i) {
      for (Index j = 0; j < i; ++j) {
        const double full = divergence(row_of(rows, i), row_of(rows, j));
        const double part = divergence(row_of(pooled, i), row_of(pooled, j));
        const double rounding = (1 + full) * 64 * std::numeric_limits<TestType>::epsilon();
        REQUIRE(part <= full + rounding);
      }
    }
  }
}

TEMPLATE_TEST_CASE("blocks partition the grid", "[pooling][law]", float, double) {
  for (const GridSize grid : grids) {
    const Pooling pooling(grid);
    REQUIRE(pooling.blocks() == std::min<Index>(8, grid.height) * std::min<Index>(8, grid.width));
    std::vector<TestType> map(static_cast<std::size_t>(grid.cells()), TestType(0));
    std::vector<TestType> line(static_cast<std::size_t>(grid.width));
    std::vector<TestType> sums(static_cast<std::size_t>(pooling.blocks()));
    for (TestType& cell : map) {
      cell = 1;
      pooling.sum(map.data(), sums.data(), line.data());
      REQUIRE(std::count(sums.begin(), sums.end(), TestType(1)) == 1);
      REQUIRE(std::count(sums.begin(), sums.end(), TestType(0)) == pooling.blocks() - 1);
      cell = 0;
    }
  }
}

TEMPLATE_TEST_CASE("the filtered search equals brute force bit for bit", "[divergence][law]", float,
                   double) {
  Random random(203);
  INFO(random.note());
  for (const GridSize grid : grids) {
    const auto maps = support::random_maps<TestType>(random, grid, 5, 0.4, 0.9);
    const auto anchors = some(random, grid.cells());
    const auto order = all(grid.cells());
    const auto full = below<TestType>(maps.rows(), anchors, order, grid, 1e30);
    REQUIRE(full.nonZeros() == static_cast<Index>(anchors.size()) * grid.cells());
    for (const double ceiling : {1e-9, 0.1, 0.5, 0.9, 1.3, 4.0}) {
      CAPTURE(grid.height, grid.width, ceiling);
      Index evaluated = 0;
      const auto found = below<TestType>(maps.rows(), anchors, order, grid, ceiling, &evaluated);
      REQUIRE(found.isCompressed());
      REQUIRE(entries(found) == entries(full, ceiling));
      REQUIRE(evaluated >= found.nonZeros());
      REQUIRE(evaluated <= full.nonZeros());
    }
  }
}

TEMPLATE_TEST_CASE("the filter rejects pairs whose blocks are far apart", "[divergence][law]",
                   float, double) {
  Random random(204);
  INFO(random.note());
  const GridSize grid{16, 24};
  Matrix<TestType> rows(grid.cells(), grid.cells());
  for (Index row = 0; row < grid.cells(); ++row) {  // all mass near the map's own cell
    for (Index i = 0; i < grid.cells(); ++i) {
      const auto dy = static_cast<double>(row / grid.width - i / grid.width);
      const auto dx = static_cast<double>(row % grid.width - i % grid.width);
      rows(row, i) =
          static_cast<TestType>(std::exp(-(dy * dy + dx * dx) / 20) * random.uniform(0.5, 1));
    }
    rows.row(row) = (rows.row(row) / rows.row(row).sum()).cwiseMax(TestType(1e-30));
  }
  Index evaluated = 0;
  const auto order = all(grid.cells());
  const auto found = below<TestType>(rows, order, order, grid, 0.9, &evaluated);
  REQUIRE(found.nonZeros() > grid.cells());
  REQUIRE(evaluated < grid.cells() * grid.cells() / 4);
  REQUIRE(entries(found) == entries(below<TestType>(rows, order, order, grid, 1e30), 0.9));
}

TEMPLATE_TEST_CASE("the order of the search does not matter", "[divergence][law]", float, double) {
  Random random(205);
  INFO(random.note());
  const GridSize grid{9, 31};
  const auto maps = support::random_maps<TestType>(random, grid);
  const auto anchors = some(random, grid.cells());
  auto order = all(grid.cells());
  Index evaluated = 0;
  const auto expected =
      entries(below<TestType>(maps.rows(), anchors, order, grid, 0.8, &evaluated));
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1],
                order[static_cast<std::size_t>(random.integer(0, static_cast<Index>(i) - 1))]);
    }
    Index again = 0;
    REQUIRE(entries(below<TestType>(maps.rows(), anchors, order, grid, 0.8, &again)) == expected);
    REQUIRE(again == evaluated);
  }
}

TEMPLATE_TEST_CASE("found divergences are close to the plain ones in double", "[divergence][law]",
                   float, double) {
  Random random(206);
  INFO(random.note());
  const double tolerance = sizeof(TestType) == 4 ? 2e-4 : 1e-12;
  for (const GridSize grid : grids) {
    const auto rows =
        support::random_rows<double>(random, 40, grid.cells(), 4, 0.5, 1.2).cwiseMax(1e-30).eval();
    const Matrix<TestType> stored = rows.template cast<TestType>();
    const auto found = below<TestType>(stored, all(40), all(40), grid, 1e30);
    double worst = 0;
    for (const auto& entry : entries(found, 2)) {
      const double expected = divergence(row_of(rows, entry.anchor), row_of(rows, entry.row));
      worst = std::max(worst, std::abs(static_cast<double>(entry.value) - expected));
    }
    CAPTURE(grid.height, grid.width);
    REQUIRE(worst < tolerance);
  }
}

TEMPLATE_TEST_CASE("maps at the floor are compared without loss", "[divergence][unit]", float,
                   double) {
  // One spike each on a floor of 1e-30: D = 1/2 * 2 * (1 - 1e-30) * ln 1e30 = 69.0776
  Matrix<TestType> rows = Matrix<TestType>::Constant(2, 35, TestType(1e-30));
  rows(0, 3) = rows(1, 34) = 1;
  const auto found = below<TestType>(rows, {0}, all(2), {5, 7}, 100);
  REQUIRE(found.coeff(0, 0) == TestType(0));
  REQUIRE(static_cast<double>(found.coeff(0, 1)) == Approx(30 * std::log(10.0)).epsilon(1e-6));
}

TEMPLATE_TEST_CASE("maps that are no probabilities are refused", "[divergence]", float, double) {
  using Limits = std::numeric_limits<TestType>;
  Random random(207);
  const auto good = support::random_rows<TestType>(random, 40, 35);
  for (const Index column : {0, 17, 34}) {
    for (const TestType bad : {TestType(0), TestType(-0.1), TestType(-0.0), Limits::quiet_NaN(),
                               Limits::infinity(), -Limits::infinity(), TestType(2)}) {
      for (const Index row : {7, 30}) {  // an anchor, and a row that is none
        Matrix<TestType> rows = good;
        rows(row, column) = bad;
        CAPTURE(row, column, bad);
        REQUIRE_THROWS_WITH(below<TestType>(rows, {7, 9}, all(40), {5, 7}, 0.9),
                            "Test: maps must be positive, finite and at most 1, row " +
                                std::to_string(row) + " is not");
      }
    }
  }
}
