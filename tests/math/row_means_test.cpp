// SPDX-License-Identifier: MIT
#include <algorithm>
#include <diffseg/math/row_means.hpp>
#include <limits>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

using Sets = std::vector<std::vector<Index>>;

std::vector<Index> identity(std::size_t count) {
  std::vector<Index> order(count);
  std::iota(order.begin(), order.end(), Index{0});
  return order;
}

template <class Scalar>
Matrix<Scalar> means_of(const Matrix<Scalar>& rows, const Sets& sets,
                        const std::vector<Index>& order) {
  Matrix<Scalar> means;
  row_means<Scalar>(rows, sets, order, means);
  return means;
}

template <class Scalar>
Matrix<double> plain_means(const Matrix<Scalar>& rows, const Sets& sets) {
  Matrix<double> means = Matrix<double>::Zero(static_cast<Index>(sets.size()), rows.cols());
  for (std::size_t i = 0; i < sets.size(); ++i) {
    auto mean = means.row(static_cast<Index>(i));
    for (const Index row : sets[i]) mean += rows.row(row).template cast<double>();
    mean /= static_cast<double>(sets[i].size());
  }
  return means;
}

/// Windows that share most of their rows, with some rows of their own.
Sets overlapping(Random& random, Index count, Index rows) {
  Sets sets;
  for (Index i = 0; i < count; ++i) {
    auto& set = sets.emplace_back();
    for (Index row = 0; row < rows; ++row) {
      const bool common = row > i && row < rows / 2 + i;
      if (random.uniform() < (common ? 0.95 : 0.1)) set.push_back(row);
    }
    if (set.empty()) set.push_back(random.integer(0, rows - 1));
  }
  return sets;
}

}  // namespace

TEMPLATE_TEST_CASE("means of two overlapping sets by hand", "[row_means][unit]", float, double) {
  Matrix<TestType> rows(3, 2);
  rows << 1, 2, 3, 6, 8, 1;
  // {0, 1}: (4, 8) / 2; {1, 2}: (11, 7) / 2; {2}: itself
  const auto means = means_of<TestType>(rows, {{0, 1}, {1, 2}, {2}}, {0, 1, 2});
  Matrix<TestType> expected(3, 2);
  expected << 2, 4, TestType(5.5), TestType(3.5), 8, 1;
  REQUIRE(means == expected);
}

TEMPLATE_TEST_CASE("shared sums give the plain means", "[row_means][law]", float, double) {
  Random random(301);
  INFO(random.note());
  struct Size {
    Index sets, rows, columns;
  };
  for (const Size size : {Size{1, 1, 1}, {3, 40, 7}, {8, 60, 100}, {9, 200, 1025}, {50, 150, 33}}) {
    const auto rows = support::random_rows<TestType>(random, size.rows, size.columns);
    const auto sets = overlapping(random, size.sets, size.rows);
    const auto means = means_of<TestType>(rows, sets, identity(sets.size()));
    const auto expected = plain_means<TestType>(rows, sets);
    const double bound =
        static_cast<double>(size.rows + 2) * std::numeric_limits<TestType>::epsilon();
    CAPTURE(size.sets, size.rows, size.columns);
    REQUIRE(means.rows() == size.sets);
    const Matrix<double> error =
        (means.template cast<double>() - expected).cwiseAbs().cwiseQuotient(expected);
    REQUIRE(error.maxCoeff() <= bound);
  }
}

TEMPLATE_TEST_CASE("the order of the sets changes the rounding only", "[row_means][law]", float,
                   double) {
  Random random(302);
  INFO(random.note());
  const auto rows = support::random_rows<TestType>(random, 120, 90);
  const auto sets = overlapping(random, 30, 120);
  auto order = identity(sets.size());
  const Matrix<TestType> expected = means_of<TestType>(rows, sets, order);
  std::reverse(order.begin(), order.end());
  std::swap(order[3], order[20]);
  const Matrix<TestType> other = means_of<TestType>(rows, sets, order);
  const double bound = 2 * 376.0 * std::numeric_limits<TestType>::epsilon();
  REQUIRE(
      (expected - other).cwiseQuotient(expected).cwiseAbs().template cast<double>().maxCoeff() <=
      bound);
}

TEMPLATE_TEST_CASE("row means have the same bits for any number of threads", "[row_means][law]",
                   float, double) {
  Random random(303);
  INFO(random.note());
  const auto rows = support::random_rows<TestType>(random, 100, 2100);
  const auto sets = overlapping(random, 37, 100);
  const auto order = identity(sets.size());
  const ThreadLimit one(1);
  const Matrix<TestType> expected = means_of<TestType>(rows, sets, order);
  for (const int threads : {2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    REQUIRE(means_of<TestType>(rows, sets, order) == expected);
  }
}
