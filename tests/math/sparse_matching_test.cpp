// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <diffseg/math/matching.hpp>
#include <diffseg/math/sparse_matching.hpp>
#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

using Dense = Matrix<std::int64_t>;

SparseCounts sparse(const Dense& dense) {
  return dense.sparseView();
}

/// The sum of the pairs, no column of which occurs twice.
std::int64_t total(const Dense& scores, const std::vector<Index>& columns) {
  REQUIRE(static_cast<Index>(columns.size()) == scores.rows());
  std::set<Index> used;
  std::int64_t sum = 0;
  for (Index row = 0; row < scores.rows(); ++row) {
    const Index column = columns[static_cast<std::size_t>(row)];
    if (column < 0) continue;
    REQUIRE(column < scores.cols());
    CHECK(used.insert(column).second);
    CHECK(scores(row, column) > 0);
    sum += scores(row, column);
  }
  return sum;
}

}  // namespace

TEST_CASE("match_sparse_rows pairs as worked out by hand", "[unit]") {
  Dense scores(3, 3);
  // The second row gives column 0 up for the third, which has nothing else.
  scores << 0, 0, 7, 5, 4, 0, 3, 0, 0;
  CHECK(match_sparse_rows(sparse(scores)) == std::vector<Index>{2, 1, 0});
  scores(2, 0) = 1;  // now it is dearer to give it up, and equal to keep it
  scores(1, 1) = 3;
  CHECK(match_sparse_rows(sparse(scores)) == std::vector<Index>{2, 0, -1});
  CHECK(match_sparse_rows(SparseCounts(2, 0)) == std::vector<Index>{-1, -1});
  CHECK(match_sparse_rows(SparseCounts(0, 2)).empty());
  scores(0, 0) = -1;
  CHECK_THROWS_AS(match_sparse_rows(sparse(scores)), std::invalid_argument);
}

TEST_CASE("match_sparse_rows has the sum of match_rows", "[unit][law]") {
  Random random(1208);
  INFO(random.note());
  for (int repeat = 0; repeat < 300; ++repeat) {
    const GridSize shape = random.grid(1, repeat < 280 ? 9 : 60);
    const Index stored = random.integer(1, 4);  // one of so many
    const Index largest = repeat % 2 == 0 ? 3 : 1000;
    Dense scores = Dense::Zero(shape.height, shape.width);
    for (std::int64_t& score : scores.reshaped()) {
      if (random.integer(1, stored) == 1) score = random.integer(1, largest);
    }
    const auto dense = static_cast<std::int64_t>(match_rows(scores).total);
    REQUIRE(total(scores, match_sparse_rows(sparse(scores))) == dense);
  }
}

TEST_CASE("match_sparse_rows takes 2^16 rows and columns", "[unit]") {
  constexpr Index side = Index{1} << 16;
  SparseCounts scores(side, side);
  std::vector<Eigen::Triplet<std::int64_t, Index>> entries;
  for (Index i = 0; i < side; ++i) {
    entries.emplace_back(i, side - 1 - i, 2);
    entries.emplace_back(i, (i + 1) % side, 1);
  }
  scores.setFromTriplets(entries.begin(), entries.end());
  const std::vector<Index> columns = match_sparse_rows(scores);
  bool all = true;
  for (Index i = 0; i < side; ++i) all &= columns[static_cast<std::size_t>(i)] == side - 1 - i;
  CHECK(all);
}
