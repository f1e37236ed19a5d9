// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/math/detail/products.hpp>
#include <limits>

#include "support/catch.hpp"
#include "support/proposals.hpp"
#include "support/random.hpp"
#include "support/same.hpp"

using namespace diffseg;
using support::Random;

namespace {

template <class Real>
Matrix<Real> random_matrix(Random& random, Index rows, Index columns) {
  Matrix<Real> matrix(rows, columns);
  for (Real& value : matrix.reshaped()) value = static_cast<Real>(random.normal());
  return matrix;
}

}  // namespace

TEMPLATE_TEST_CASE("a product by hand", "[products][unit]", float, double) {
  Matrix<TestType> a(2, 3), b(3, 2), expected(2, 2);
  a << 1, 2, 3, 4, 5, 6;
  b << 1, -1, 0, 2, 10, 1;
  expected << 31, 6, 64, 12;
  REQUIRE(detail::product(a, b) == expected);
  REQUIRE(detail::transposed(b)(0, 2) == 10);
}

TEMPLATE_TEST_CASE("products are those of plain loops with the same bits for any thread count",
                   "[products][law]", float, double) {
  Random random(9120);
  INFO(random.note());
  for (int round = 0; round < 40; ++round) {
    const Index m = random.integer(1, 40), k = random.integer(1, 600), n = random.integer(1, 90);
    const auto a = random_matrix<TestType>(random, m, k);
    const auto b = random_matrix<TestType>(random, k, n);
    const Matrix<TestType> found = detail::product(a, b);
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j < n; ++j) {
        double sum = 0, magnitude = 0;
        for (Index l = 0; l < k; ++l) {
          const double term = double{a(i, l)} * b(l, j);
          sum += term;
          magnitude += std::abs(term);
        }
        CAPTURE(m, k, n, i, j);
        REQUIRE(std::abs(found(i, j) - sum) <=
                static_cast<double>(k) * magnitude * std::numeric_limits<TestType>::epsilon());
      }
    }
    for (const int threads : {1, 2, 5}) {
      const ThreadLimit limit(threads);
      Eigen::setNbThreads(threads + 1);
      REQUIRE(support::same_bits(detail::product(a, b), found));
    }
  }
  Eigen::setNbThreads(0);
}
