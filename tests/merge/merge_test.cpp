// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <diffseg/core/parallel.hpp>
#include <diffseg/merge/compare.hpp>
#include <diffseg/merge/merge.hpp>
#include <limits>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"
#include "support/two_pairs.hpp"

using namespace diffseg;
using support::Random;
using support::two_pairs;

namespace {

double plain_divergence(const Matrix<double>& rows, Index i, Index j) {
  double sum = 0;
  for (Index k = 0; k < rows.cols(); ++k) {
    sum += (rows(i, k) - rows(j, k)) * (std::log(rows(i, k)) - std::log(rows(j, k)));
  }
  return sum / 2;
}

/// The published order, literally, in double. `margin` tells how close a decision was.
struct PlainMerge {
  Matrix<double> rows;
  std::vector<std::set<Index>> anchors;
  std::vector<Index> row_counts, per_iteration;
  double margin = 1e300;

  bool below(double value, double threshold) {
    margin = std::min(margin, std::abs(value - threshold));
    return value < threshold;
  }

  PlainMerge(const Matrix<double>& maps, const std::vector<Index>& tokens,
             const std::vector<double>& thresholds) {
    rows = Matrix<double>::Zero(static_cast<Index>(tokens.size()), maps.cols());
    for (std::size_t a = 0; a < tokens.size(); ++a) {
      Index count = 0;
      for (Index map = 0; map < maps.rows(); ++map) {
        if (!below(plain_divergence(maps, tokens[a], map), thresholds[0])) continue;
        rows.row(static_cast<Index>(a)) += maps.row(map);
        ++count;
      }
      rows.row(static_cast<Index>(a)) /= static_cast<double>(count);
      anchors.push_back({static_cast<Index>(a)});
      row_counts.push_back(count);
    }
    per_iteration.push_back(rows.rows());
    for (std::size_t i = 1; i < thresholds.size(); ++i) join(thresholds[i]);
  }

  void join(double threshold) {
    std::vector<bool> matched(row_counts.size(), false);
    std::vector<std::vector<double>> means;
    std::vector<std::set<Index>> new_anchors;
    std::vector<Index> new_counts;
    for (Index i = 0; i < rows.rows(); ++i) {
      if (matched[static_cast<std::size_t>(i)]) continue;
      std::vector<double> mean(static_cast<std::size_t>(rows.cols()), 0.0);
      std::set<Index> from;
      Index count = 0, members = 0;
      for (Index j = 0; j < rows.rows(); ++j) {
        if (!below(plain_divergence(rows, i, j), threshold)) continue;
        const auto at = static_cast<std::size_t>(j);
        for (std::size_t k = 0; k < mean.size(); ++k) mean[k] += rows(j, static_cast<Index>(k));
        from.insert(anchors[at].begin(), anchors[at].end());
        count += row_counts[at];
        ++members;
        matched[at] = true;
      }
      for (double& value : mean) value /= static_cast<double>(members);
      means.push_back(mean);
      new_anchors.push_back(from);
      new_counts.push_back(count);
    }
    rows.resize(static_cast<Index>(means.size()), rows.cols());
    for (std::size_t i = 0; i < means.size(); ++i) {
      for (std::size_t k = 0; k < means[i].size(); ++k) {
        rows(static_cast<Index>(i), static_cast<Index>(k)) = means[i][k];
      }
    }
    anchors = new_anchors;
    row_counts = new_counts;
    per_iteration.push_back(rows.rows());
  }
};

/// The same similarities with anchors in another order.
template <class Scalar>
Similarities<Scalar> permuted(const Similarities<Scalar>& from, const std::vector<Index>& order) {
  Similarities<Scalar> result = from;
  std::vector<Eigen::Triplet<Scalar, int>> entries;
  using Sparse = Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>;
  for (std::size_t i = 0; i < order.size(); ++i) {
    result.anchors[i] = from.anchors[static_cast<std::size_t>(order[i])];
    for (typename Sparse::InnerIterator it(from.divergences, order[i]); it; ++it) {
      entries.emplace_back(static_cast<int>(i), static_cast<int>(it.col()), it.value());
    }
  }
  result.divergences = Sparse(from.divergences.rows(), from.divergences.cols());
  result.divergences.setFromTriplets(entries.begin(), entries.end());
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("four maps merge into two by hand", "[merge][unit]", float, double) {
  // D(0, 1) = 1/2 (2 * 1/4 ln 2) = 1/4 ln 2 = .173; D(0, 2) = 1/2 (3/8 ln 4 * 2 + 1/8 ln 2 * 2)
  // = 7/8 ln 2 = .607. So at 0.5 the sets are {0, 1} {0, 1} {2, 3} {2, 3}.
  const auto similarities = Compare{.anchors = {1, 4}, .ceiling = 0.5}(two_pairs<TestType>());
  REQUIRE(similarities.divergences.nonZeros() == 8);
  REQUIRE(static_cast<double>(similarities.divergences.coeff(0, 1)) ==
          Approx(std::log(2.0) / 4).epsilon(1e-6));

  const auto first = Merge{.thresholds = {0.5}}(similarities);
  Matrix<TestType> pairs(4, 4);
  pairs << 6, 6, 2, 2, 6, 6, 2, 2, 2, 2, 6, 6, 2, 2, 6, 6;
  pairs /= TestType(16);
  REQUIRE(first.rows == pairs);
  REQUIRE(first.per_iteration == std::vector<Index>{4});
  REQUIRE(first.row_counts == std::vector<Index>{2, 2, 2, 2});
  REQUIRE(first.anchors == std::vector<std::vector<Index>>{{0}, {1}, {2}, {3}});

  // D between the means = 1/2 * 4 * 1/4 ln 3 = .549: two proposals at 0.5, one at 0.6.
  const auto second = Merge{.thresholds = {0.5, 0.5}}(similarities);
  REQUIRE(second.rows.row(0) == pairs.row(0));
  REQUIRE(second.rows.row(1) == pairs.row(2));
  REQUIRE(second.per_iteration == std::vector<Index>{4, 2});
  REQUIRE(second.row_counts == std::vector<Index>{4, 4});  // rows entered twice
  REQUIRE(second.anchors == std::vector<std::vector<Index>>{{0, 1}, {2, 3}});

  const auto third = Merge{.thresholds = {0.5, 0.5, 0.6}}(similarities);
  REQUIRE(third.rows == Matrix<TestType>::Constant(1, 4, TestType(0.25)));
  REQUIRE(third.per_iteration == std::vector<Index>{4, 2, 1});
  REQUIRE(third.row_counts == std::vector<Index>{8});
  REQUIRE(third.anchors == std::vector<std::vector<Index>>{{0, 1, 2, 3}});
}

TEMPLATE_TEST_CASE("a proposal that was taken serves again by hand", "[merge][unit]", float,
                   double) {
  Matrix<TestType> rows(3, 3);
  rows << TestType(0.50), TestType(0.25), TestType(0.25), TestType(0.65), TestType(0.175),
      TestType(0.175), TestType(0.80), TestType(0.1), TestType(0.1);
  Similarities<TestType> alone;  // iteration 0 leaves each map as it is
  alone.maps = Maps<TestType>({1, 3}, rows);
  alone.anchors = {0, 1, 2};
  alone.ceiling = 1;
  alone.divergences.resize(3, 3);
  for (int i = 0; i < 3; ++i) alone.divergences.insert(i, i) = 0;
  alone.divergences.makeCompressed();
  // D(0, 1) = .15 ln((.65 / .35) / 1) / 2 = .046, D(1, 2) = .15 ln(4 / 1.857) / 2 = .058,
  // D(0, 2) = .3 ln(4) / 2 = .208.
  // Walk at .1: 0 takes {0, 1}; 1 is taken; 2 takes {1, 2}, the second time for 1.
  const auto proposals = Merge{.thresholds = {0.5, 0.1}}(alone);
  REQUIRE(proposals.rows.rows() == 2);
  REQUIRE(static_cast<double>(proposals.rows(0, 0)) == Approx(0.575));
  REQUIRE(static_cast<double>(proposals.rows(1, 0)) == Approx(0.725));
  REQUIRE(proposals.anchors == std::vector<std::vector<Index>>{{0, 1}, {1, 2}});
  REQUIRE(proposals.row_counts == std::vector<Index>{2, 2});
}

TEMPLATE_TEST_CASE("merge equals the published order", "[merge][law][long]", float, double) {
  Random random(801);
  INFO(random.note());
  int compared = 0;
  for (int round = 0; round < 25; ++round) {
    const GridSize grid = random.grid(4, 14);
    const auto maps = support::random_maps<TestType>(random, grid, random.integer(2, 12),
                                                     random.uniform(0.2, 0.7), 0.6);
    const GridSize anchors{random.integer(1, grid.height), random.integer(1, grid.width)};
    std::vector<double> thresholds;
    for (int i = 0; i < 1 + round % 4; ++i) thresholds.push_back(random.uniform(0.1, 0.9));
    const auto similarities = Compare{.anchors = anchors, .ceiling = 0.9}(maps);
    const auto proposals = Merge{.thresholds = thresholds}(similarities);
    const PlainMerge expected(maps.rows().template cast<double>(), similarities.anchors,
                              thresholds);
    if (expected.margin < (sizeof(TestType) == 4 ? 1e-6 : 1e-13)) continue;  // rounding decides
    ++compared;
    CAPTURE(round, grid.height, grid.width, anchors.height, anchors.width);
    REQUIRE(proposals.per_iteration == expected.per_iteration);
    REQUIRE((proposals.rows.template cast<double>() - expected.rows).cwiseAbs().maxCoeff() <
            (sizeof(TestType) == 4 ? 1e-6 : 1e-13));
    REQUIRE(proposals.row_counts == expected.row_counts);
    REQUIRE(proposals.anchors.size() == expected.anchors.size());
    for (std::size_t i = 0; i < expected.anchors.size(); ++i) {
      REQUIRE(proposals.anchors[i] ==
              std::vector<Index>(expected.anchors[i].begin(), expected.anchors[i].end()));
    }
    REQUIRE(&proposals.maps.rows() == &maps.rows());
  }
  REQUIRE(compared >= 15);
}

TEMPLATE_TEST_CASE("permuting anchors permutes the first proposals", "[merge][law]", float,
                   double) {
  Random random(802);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {9, 12}, 6, 0.4, 0.7);
  const auto similarities = Compare{.anchors = {5, 7}, .ceiling = 0.8}(maps);
  std::vector<Index> order(35);
  std::iota(order.begin(), order.end(), Index{0});
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1],
              order[static_cast<std::size_t>(random.integer(0, static_cast<Index>(i) - 1))]);
  }
  const auto straight = Merge{.thresholds = {0.8}}(similarities);
  const auto mixed = Merge{.thresholds = {0.8}}(permuted(similarities, order));
  for (std::size_t i = 0; i < order.size(); ++i) {
    // The order of summation follows the anchors' places, not their numbers: the same bits.
    REQUIRE(mixed.rows.row(static_cast<Index>(i)) == straight.rows.row(order[i]));
    REQUIRE(mixed.row_counts[i] == straight.row_counts[static_cast<std::size_t>(order[i])]);
  }
}

TEMPLATE_TEST_CASE("a higher ceiling changes no proposal", "[merge][law]", float, double) {
  Random random(803);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {9, 12}, 6, 0.4, 0.7);
  const Merge merge{.thresholds = {0.5, 0.4, 0.6}};
  const auto low = merge(Compare{.anchors = {5, 7}, .ceiling = 0.5}(maps));
  const auto high = merge(Compare{.anchors = {5, 7}, .ceiling = 5}(maps));
  REQUIRE(low.rows == high.rows);
  REQUIRE(low.row_counts == high.row_counts);
  REQUIRE(low.anchors == high.anchors);
}

TEMPLATE_TEST_CASE("merge has the same bits for any number of threads", "[merge][law]", float,
                   double) {
  Random random(804);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {14, 15}, 9, 0.4, 0.7);
  const auto similarities = Compare{.anchors = {9, 9}, .ceiling = 0.8}(maps);
  const Merge merge{.thresholds = {0.8, 0.3, 0.5}};
  auto proposals = merge(similarities);
  const Matrix<TestType> expected = proposals.rows;
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    merge(similarities, proposals);
    REQUIRE(proposals.rows == expected);
  }
}

TEST_CASE("matrices wait for the next use of their sizes", "[merge][unit]") {
  detail::MatrixShelf<float> shelf;
  Matrix<float> first = shelf.take(4, 10);
  REQUIRE(first.rows() == 4);
  REQUIRE(first.cols() == 10);
  const float* const place = first.data();
  shelf.put(std::move(first));
  shelf.put(Matrix<float>());  // nothing to keep
  REQUIRE(shelf.size() == 1);
  REQUIRE(shelf.take(10, 4).data() != place);
  REQUIRE(shelf.take(4, 10).data() == place);
  REQUIRE(shelf.size() == 0);
  // 40 numbers at most twice: the oldest goes when there are more.
  for (const Index rows : {2, 4, 1, 1}) shelf.put(Matrix<float>(rows, 10));
  REQUIRE(shelf.size() == 4);
  shelf.put(Matrix<float>(1, 10));
  REQUIRE(shelf.size() == 4);
  REQUIRE(shelf.take(4, 10).rows() == 4);
  REQUIRE(shelf.size() == 3);
}

TEMPLATE_TEST_CASE("thresholds that make no sense are refused", "[merge]", float, double) {
  using Limits = std::numeric_limits<double>;
  const auto similarities = Compare{.anchors = {1, 4}, .ceiling = 0.5}(two_pairs<TestType>());
  const auto refused = [&](std::vector<double> thresholds, const std::string& text) {
    const Merge merge{.thresholds = std::move(thresholds)};
    REQUIRE_THROWS_WITH(merge(similarities), support::Contains(text));
    REQUIRE_THROWS_AS(merge(similarities), std::invalid_argument);
  };
  refused({}, "Merge: thresholds must not be empty");
  refused({0.0}, "Merge: thresholds must be > 0 and finite, got 0");
  refused({0.5, -1}, "Merge: thresholds must be > 0 and finite, got -1");
  refused({0.5, 0.5, Limits::quiet_NaN()}, "Merge: thresholds must be > 0 and finite, got nan");
  refused({Limits::infinity()}, "Merge: thresholds must be > 0 and finite, got inf");
  refused({0.6}, "Merge: thresholds[0] must be at most the ceiling 0.5 that Compare kept, got 0.6");
  REQUIRE_NOTHROW(Merge{.thresholds = {0.5, 7.0}}(similarities));  // later ones may be higher
}

TEMPLATE_TEST_CASE("similarities that contradict themselves are refused", "[merge]", float,
                   double) {
  auto similarities = Compare{.anchors = {1, 4}, .ceiling = 0.5}(two_pairs<TestType>());
  const Merge merge{.thresholds = {0.5}};
  SECTION("nothing was compared") {
    REQUIRE_THROWS_AS(merge(Similarities<TestType>{}), std::invalid_argument);
  }
  SECTION("an anchor that matches nothing, not even itself") {
    similarities.divergences.coeffRef(2, 2) = similarities.divergences.coeffRef(2, 3) = 1;
    REQUIRE_THROWS_WITH(merge(similarities), support::Contains("anchor 2"));
  }
  SECTION("more anchors than rows") {
    similarities.anchors.push_back(1);
    REQUIRE_THROWS_AS(merge(similarities), std::invalid_argument);
  }
}
