// SPDX-License-Identifier: MIT
#include <algorithm>
#include <diffseg/math/matching.hpp>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

/// Largest sum over all ways to pair rows with columns, every row used when rows <= columns.
double best_total(const Matrix<double>& scores) {
  if (scores.rows() > scores.cols()) return best_total(scores.transpose());
  std::vector<Index> columns(static_cast<std::size_t>(scores.cols()));
  std::iota(columns.begin(), columns.end(), Index{0});
  double best = -std::numeric_limits<double>::max();
  do {
    double total = 0;
    for (Index row = 0; row < scores.rows(); ++row) {
      total += scores(row, columns[static_cast<std::size_t>(row)]);
    }
    best = std::max(best, total);
  } while (std::next_permutation(columns.begin(), columns.end()));
  return best;
}

/// As many pairs as the shorter side, no column twice, the total that of the pairs.
template <class Scalar>
void check_pairs(const Matrix<Scalar>& scores, const Matching& matching) {
  REQUIRE(static_cast<Index>(matching.columns.size()) == scores.rows());
  std::vector<int> used(static_cast<std::size_t>(scores.cols()), 0);
  double total = 0;
  Index pairs = 0;
  for (Index row = 0; row < scores.rows(); ++row) {
    const Index column = matching.columns[static_cast<std::size_t>(row)];
    if (column < 0) continue;
    REQUIRE(column < scores.cols());
    CHECK(++used[static_cast<std::size_t>(column)] == 1);
    total += static_cast<double>(scores(row, column));
    ++pairs;
  }
  CHECK(pairs == std::min(scores.rows(), scores.cols()));
  CHECK(matching.total == Approx(total).margin(1e-9));
}

template <class Scalar>
void check_against_brute_force() {
  Random random(71);
  INFO(random.note());
  for (int repeat = 0; repeat < 60; ++repeat) {
    const GridSize shape = repeat == 0 ? GridSize{7, 7} : random.grid(1, repeat < 50 ? 6 : 7);
    Matrix<Scalar> scores(shape.height, shape.width);
    for (Scalar& score : scores.reshaped()) {
      score = static_cast<Scalar>(repeat % 2 == 0 ? static_cast<double>(random.integer(-3, 3))
                                                  : random.normal());
    }
    const Matching matching = match_rows(scores);
    check_pairs(scores, matching);
    const double best = best_total(scores.template cast<double>());
    CHECK(matching.total == Approx(best).margin(1e-9));
  }
}

}  // namespace

TEST_CASE("match_rows finds the largest sum of all pairings", "[unit]") {
  check_against_brute_force<double>();
  check_against_brute_force<float>();
  check_against_brute_force<int>();
}

TEST_CASE("match_rows gives the pairs and sums that scipy gives", "[unit]") {
  std::ifstream file(std::filesystem::path(__FILE__).parent_path() /
                     "../files/matching/scipy.json");
  const auto json = nlohmann::json::parse(file);
  REQUIRE(json.at("matrices").size() == 200);
  for (const auto& entry : json.at("matrices")) {
    const auto values = entry.at("scores").get<std::vector<double>>();
    const Eigen::Map<const Matrix<double>> scores(values.data(), entry.at("rows").get<Index>(),
                                                  entry.at("columns").get<Index>());
    const Matching matching = match_rows<double>(scores);
    check_pairs<double>(scores, matching);
    CHECK(matching.total == Approx(entry.at("total").get<double>()).margin(1e-9));
    CHECK(matching.columns == entry.at("pairs").get<std::vector<Index>>());
  }
}

TEST_CASE("match_rows takes empty and flat and tall matrices", "[unit]") {
  CHECK(match_rows(Matrix<double>(0, 0)).columns.empty());
  CHECK(match_rows(Matrix<double>(0, 3)).columns.empty());
  CHECK(match_rows(Matrix<double>(2, 0)).columns == std::vector<Index>{-1, -1});
  CHECK(match_rows(Matrix<double>(2, 0)).total == 0);
  Matrix<int> tall(3, 1);
  tall << 1, 5, 2;
  CHECK(match_rows(tall).columns == std::vector<Index>{-1, 0, -1});
  CHECK(match_rows(tall).total == 5);
  // A constant matrix pairs each row with the column of its number.
  CHECK(match_rows(Matrix<int>(Matrix<int>::Constant(3, 4, 7))).columns ==
        std::vector<Index>{0, 1, 2});
}

TEST_CASE("match_rows refuses scores that are no numbers", "[unit]") {
  Matrix<double> scores = Matrix<double>::Zero(2, 2);
  for (const double bad :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    scores(1, 0) = bad;
    CHECK_THROWS_AS(match_rows(scores), std::invalid_argument);
  }
}
