// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <diffseg/core/parallel.hpp>
#include <diffseg/merge/choose.hpp>
#include <diffseg/merge/compare.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"
#include "support/two_pairs.hpp"

using namespace diffseg;
using support::complaint;
using support::Contains;
using support::Random;

namespace {

/// Four maps on 1 x 4 cells: 4 segments up to .173, 2 up to .549, one beyond.
Similarities<double> compared_pairs() {
  return Compare{.anchors = {1, 4}, .ceiling = 0.7}(support::two_pairs<double>());
}

}  // namespace

TEST_CASE("the best score wins by hand", "[choose][unit]") {
  // information 1, .755 and 0 at an entropy of ln 4, ln 2 and 0: two segments are best from a
  // lambda of .354 on, one from 1.09 on.
  const std::vector<double> taus = {0.1, 0.5, 0.6};
  const auto at = [&](double lambda) {
    return Choose{.thresholds = taus, .lambda = lambda}(compared_pairs());
  };
  REQUIRE(at(0.35).threshold == 0.1);
  REQUIRE(at(0.35).segments == 4);
  REQUIRE(at(0.36).threshold == 0.5);
  REQUIRE(at(0.36).score == Approx((3 * std::log(3.0) / std::log(2.0) - 4) - 0.36 * std::log(2.0)));
  REQUIRE(at(1.1).threshold == 0.6);
}

TEST_CASE("numbers of segments are found by bisection by hand", "[choose][unit]") {
  const auto wanted = [](Index segments) { return Choose{.segments = segments}(compared_pairs()); };
  REQUIRE(wanted(1).threshold == 0.7);  // the ceiling gives it
  REQUIRE(wanted(2).threshold == 0.35);
  REQUIRE(wanted(2).segments == 2);
  REQUIRE(wanted(2).entropy == Approx(std::log(2.0)));
  REQUIRE(wanted(4).segments == 4);
  REQUIRE(wanted(3).segments == 4);   // 2 is no nearer
  REQUIRE(wanted(99).segments == 4);  // all that there are
  // Counted by the caller: ten for every proposal.
  const auto tens = Choose{.segments = 20}(
      compared_pairs(),
      [](const Proposals<double>& proposals) { return 10 * proposals.rows.rows(); });
  REQUIRE(tens.threshold == 0.35);
  REQUIRE(tens.segments == 20);
}

TEST_CASE("what bisection finds is as near as a fine sweep finds or one off", "[choose][law]") {
  Random random(2221);
  INFO(random.note());
  Index met = 0, reachable = 0;
  for (int round = 0; round < 4; ++round) {
    const auto maps = support::random_maps<float>(random, random.grid(8, 13), 12, 0.3, 0.6);
    const auto similarities = Compare{.anchors = {6, 6}, .ceiling = 2}(maps);
    Sweep fine;
    for (double tau = 2; tau > 0.01; tau /= 1.2) fine.thresholds.push_back(tau);
    const auto points = fine(similarities);
    for (Index segments = 1; segments <= 10; ++segments) {
      const auto near = [&](const SweepPoint& point) {
        return std::abs(point.segments - segments) <= 1;
      };
      if (std::none_of(points.begin(), points.end(), near)) continue;
      ++reachable;
      const SweepPoint chosen = Choose{.segments = segments}(similarities);
      met += near(chosen) ? 1 : 0;
      REQUIRE(Sweep{.thresholds = {chosen.threshold}}(similarities).front().segments ==
              chosen.segments);
    }
  }
  INFO(met << " of " << reachable);
  REQUIRE(reachable > 10);
  REQUIRE(10 * met >= 9 * reachable);
}

TEST_CASE("the candidates of the best score end at the ceiling", "[choose][unit]") {
  const auto thresholds = Choose{}.sweep(1.6).thresholds;
  REQUIRE(thresholds.size() == 17);
  REQUIRE(thresholds.front() == Approx(1.6 * std::pow(0.84, 16)));
  REQUIRE(thresholds.back() == 1.6);
  REQUIRE(std::is_sorted(thresholds.begin(), thresholds.end()));
}

TEST_CASE("choose takes the same threshold for any number of threads", "[choose][law]") {
  Random random(2222);
  INFO(random.note());
  const auto maps = support::random_maps<float>(random, {17, 23}, 6, 0.4, 0.7);
  const auto similarities = Compare{.anchors = {8, 9}, .ceiling = 1.5}(maps);
  std::vector<double> best, three;
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    best.push_back(Choose{}(similarities).threshold);
    three.push_back(Choose{.segments = 3}(similarities).threshold);
  }
  REQUIRE(std::count(best.begin(), best.end(), best.front()) == 5);
  REQUIRE(std::count(three.begin(), three.end(), three.front()) == 5);
}

TEST_CASE("what cannot be chosen is refused", "[choose]") {
  const auto refused = [&](const Choose& choose, const char* what) {
    CHECK_THAT(complaint([&] { (void)choose(compared_pairs()); }), Contains(what));
  };
  refused({.segments = -1}, "Choose: segments must be >= 0, got -1");
  refused({.segments = 2, .steps = 1}, "Choose: steps must be >= 2, got 1");
  refused({.segments = 2, .iterations = 0}, "iterations must be >= 1, got 0");
  refused({.iterations = 0}, "iterations must be >= 1, got 0");
  refused({.thresholds = {0.9}}, "at most the ceiling 0.7");
  REQUIRE_THROWS_AS(Choose{}(Similarities<float>{}), std::invalid_argument);
  REQUIRE_THROWS_AS(Choose{.segments = 2}(Similarities<float>{}), std::invalid_argument);
}
