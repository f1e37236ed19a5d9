// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/core/parallel.hpp>
#include <diffseg/merge/compare.hpp>
#include <diffseg/merge/sweep.hpp>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"
#include "support/two_pairs.hpp"

using namespace diffseg;
using support::complaint;
using support::Contains;
using support::Random;
using support::two_pairs;

namespace {

bool same(const std::vector<SweepPoint>& a, const std::vector<SweepPoint>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.threshold == y.threshold && x.segments == y.segments &&
           x.information == y.information && x.entropy == y.entropy && x.score == y.score;
  });
}

}  // namespace

TEMPLATE_TEST_CASE("maps in many and few segments by hand", "[sweep][unit]", float, double) {
  // D(0, 1) = 1/4 ln 2 = .173; means of pairs (6 6 2 2) / 16 are 1/2 ln 3 = .549 apart. The mean
  // map is flat, so I(X; Y) = ln 4 - H(8 4 2 2) = 1/4 ln 2, and that of the pairs ln 4 - H(6 6 2 2)
  // = 3/4 ln 3 - ln 2.
  const auto similarities = Compare{.anchors = {1, 4}, .ceiling = 0.6}(two_pairs<TestType>());
  const Sweep sweep{.thresholds = {0.1, 0.5, 0.6}, .lambda = 0.5};
  const std::vector<SweepPoint> points = sweep(similarities);
  REQUIRE(points.size() == 3);
  REQUIRE(points[0].threshold == 0.1);
  REQUIRE(points[0].segments == 4);
  REQUIRE(points[0].information == Approx(1).epsilon(1e-6));
  REQUIRE(points[0].entropy == Approx(std::log(4.0)));
  REQUIRE(points[1].segments == 2);
  const double pairs = (0.75 * std::log(3.0) - std::log(2.0)) / (std::log(2.0) / 4);
  REQUIRE(points[1].information == Approx(pairs).epsilon(1e-5));
  REQUIRE(points[1].entropy == Approx(std::log(2.0)));
  REQUIRE(points[1].score == Approx(pairs - 0.5 * std::log(2.0)).epsilon(1e-5));
  REQUIRE(points[2].segments == 1);
  REQUIRE(points[2].information == Approx(0).margin(1e-6));
  REQUIRE(points[2].entropy == 0);
  // One iteration is the anchors' means: four of them, two alike, of which the first wins.
  REQUIRE(Sweep{.thresholds = {0.6}, .iterations = 1}(similarities).front().segments == 2);
}

TEMPLATE_TEST_CASE("every threshold gives what Merge gives", "[sweep][law]", float, double) {
  Random random(2211);
  INFO(random.note());
  for (int round = 0; round < 8; ++round) {
    const GridSize grid = random.grid(4, 14);
    const auto maps = support::random_maps<TestType>(random, grid, 5, 0.4, 0.7);
    const auto similarities = Compare{.anchors = {3, 4}, .ceiling = 2}(maps);
    const Sweep sweep{.thresholds = {1.1, 0.05, 0.3, 2, 0.3}};
    const auto points = sweep(similarities);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double tau = sweep.thresholds[i];
      const auto partition =
          detail::partition_cells(Merge{.thresholds = {tau, tau, tau}}(similarities).rows);
      REQUIRE(points[i].segments == static_cast<Index>(partition.sizes.size()));
      REQUIRE(points[i].entropy == Approx(detail::entropy_of(partition)));
      REQUIRE((points[i].information >= 0 && points[i].information <= 1));
    }
    // Alone or beside others, up to the order of the sums.
    const double alone = Sweep{.thresholds = {0.3}}(similarities).front().information;
    REQUIRE(points[2].information == Approx(alone).epsilon(1e-4).margin(1e-5));
    REQUIRE(points[2].information == points[4].information);
  }
}

TEMPLATE_TEST_CASE("sweep has the same bits for any number of threads", "[sweep][law]", float,
                   double) {
  Random random(2212);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {19, 27}, 6, 0.4, 0.7);
  const auto similarities = Compare{.anchors = {8, 9}, .ceiling = 1.5}(maps);
  const Sweep sweep{.thresholds = {0.1, 0.2, 0.4, 0.8, 1.5}};
  std::vector<SweepPoint> expected;
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    const auto points = sweep(similarities);
    if (expected.empty()) expected = points;
    REQUIRE(same(points, expected));
  }
}

TEST_CASE("what makes no sense to sweep is refused", "[sweep]") {
  const auto similarities = Compare{.anchors = {1, 4}, .ceiling = 0.5}(two_pairs<float>());
  const auto refused = [&](const Sweep& sweep, const char* what) {
    CHECK_THAT(complaint([&] { (void)sweep(similarities); }), Contains(what));
  };
  refused({}, "Sweep: thresholds must not be empty");
  refused({.thresholds = {0.1, 0.0}}, "Sweep: thresholds must be > 0 and finite, got 0");
  refused({.thresholds = {std::numeric_limits<double>::quiet_NaN()}}, "thresholds must be > 0");
  refused({.thresholds = {0.1, 0.6}}, "at most the ceiling 0.5 that Compare kept, got 0.6");
  refused({.thresholds = {0.1}, .iterations = 0}, "Sweep: iterations must be >= 1, got 0");
  refused({.thresholds = {0.1}, .lambda = -1}, "Sweep: lambda must be >= 0");
  REQUIRE_THROWS_AS(Sweep{{0.1}}(Similarities<float>{}), std::invalid_argument);
}
