// SPDX-License-Identifier: MIT
#include <algorithm>
#include <diffseg/merge/refine.hpp>
#include <diffseg/merge/refine_projected.hpp>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/proposals.hpp"
#include "support/random.hpp"
#include "support/same.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::check_refined;
using support::complaint;
using support::Contains;
using support::Random;
using support::same_bits;
using support::some_proposals;

namespace {

using Mode = RefineProjected::Mode;
constexpr Mode modes[] = {Mode::passes, Mode::minibatch};

}  // namespace

TEMPLATE_TEST_CASE("RefineProjected finds the clusters of Lloyd where they are clear",
                   "[refine_projected]", float, double) {
  Random random(91);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {28, 31}, 6);
  const auto proposals = some_proposals(maps, 6);
  const auto expected = lloyd_kmeans(maps.rows(), proposals.rows);
  for (const Mode mode : modes) {
    CAPTURE(static_cast<int>(mode));
    // Few components, so that the grid is large enough for all that a mode does.
    const auto refined = RefineProjected{.mode = mode, .components = 12, .batch = 100}(proposals);
    check_refined(refined, proposals);
    REQUIRE(refined.rows.rows() == 6);
    CHECK(refined.anchors == proposals.anchors);
    CHECK((refined.rows - expected.centres).cwiseAbs().maxCoeff() < 1e-6);
  }
}

TEST_CASE("RefineProjected leaves no empty cluster and no NaN", "[refine_projected]") {
  Random random(93);
  INFO(random.note());
  const auto maps = support::random_maps<float>(random, {25, 40}, 4);
  auto proposals = some_proposals(maps, 4);
  proposals.rows.row(2).setConstant(1e-9F);  // far from every map
  proposals.rows(2, 0) = 1;
  const Maps<float> equal({6, 7}, Matrix<float>::Constant(42, 42, 1.0F / 42));
  const auto flat = some_proposals(equal, 3);
  for (const Mode mode : modes) {
    CAPTURE(static_cast<int>(mode));
    const auto refined = RefineProjected{.mode = mode, .components = 10}(proposals);
    check_refined(refined, proposals);
    REQUIRE(refined.rows.rows() == 4);
    CHECK(refined.anchors[1] == proposals.anchors[1]);
    // Equal maps: all in the first cluster, the others end empty and are left out.
    const auto one = RefineProjected{.mode = mode, .components = 3}(flat);
    check_refined(one, flat);
    CHECK(one.rows.rows() == 1);
  }
}

TEST_CASE("RefineProjected with as many components as cells is Refine", "[refine_projected][law]") {
  Random random(94);
  INFO(random.note());
  for (const GridSize grid : {GridSize{1, 1}, {1, 5}, {3, 4}, {8, 9}}) {
    const auto maps = support::random_maps<float>(random, grid, 3);
    const auto proposals = some_proposals(maps, std::min<Index>(3, grid.cells()));
    for (const Mode mode : modes) {
      const auto refined = RefineProjected{.mode = mode, .components = 100}(proposals);
      check_refined(refined, proposals);
      CHECK(same_bits(refined.rows, Refine{}(proposals).rows));
    }
  }
}

TEST_CASE("RefineProjected gives the same bits for any number of threads",
          "[refine_projected][law]") {
#ifdef _OPENMP
  omp_set_num_threads(8);
#endif
  Random random(96);
  INFO(random.note());
  const auto maps = support::random_maps<float>(random, {30, 33}, 9, 1.5, 0.5);
  const auto proposals = some_proposals(maps, 9);
  for (const Mode mode : modes) {
    const RefineProjected refine{.mode = mode, .components = 16, .batch = 64};
    const auto run = [&](int threads) {
      const ThreadLimit limit(threads);
      return refine(proposals);
    };
    const auto one = run(1);
    for (const int threads : {2, 3, 4, 8}) {
      CAPTURE(static_cast<int>(mode), threads);
      const auto many = run(threads);
      CHECK(same_bits(one.rows, many.rows));
      CHECK(one.row_counts == many.row_counts);
    }
  }
}

TEST_CASE("RefineProjected refuses what it cannot cluster and is empty then",
          "[refine_projected]") {
  Random random(97);
  const auto maps = support::random_maps<float>(random, {3, 4}, 3);
  const auto good = some_proposals(maps, 3);
  const auto refine = [&](const RefineProjected& stage, const Proposals<float>& proposals) {
    Proposals<float> out = good;
    const std::string text = complaint([&] { stage(proposals, out); });
    CHECK(out.maps.empty());
    CHECK(out.rows.size() == 0);
    return text;
  };
  CHECK_THAT(refine({.components = 0}, good),
             Contains("RefineProjected: components must be >= 1, got 0"));
  CHECK_THAT(refine({.batch = 0}, good), Contains("RefineProjected: batch must be >= 1, got 0"));
  CHECK_THAT(refine({.max_iterations = 0}, good), Contains("max_iterations must be >= 1, got 0"));
  CHECK_THAT(refine({}, Proposals<float>{}), Contains("RefineProjected: maps must not be empty"));
}
