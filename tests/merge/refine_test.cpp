// SPDX-License-Identifier: MIT
#include <algorithm>
#include <diffseg/labels/assign.hpp>
#include <diffseg/merge/compare.hpp>
#include <diffseg/merge/merge.hpp>
#include <diffseg/merge/refine.hpp>
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

TEMPLATE_TEST_CASE("Refine replaces proposals by the means of clusters of maps", "[refine]", float,
                   double) {
  Random random(91);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {28, 31}, 6);
  const auto proposals = some_proposals(maps, 6);
  const auto expected = lloyd_kmeans(maps.rows(), proposals.rows);
  const auto refined = Refine{}(proposals);
  check_refined(refined, proposals);
  REQUIRE(refined.rows.rows() == 6);
  CHECK(refined.anchors == proposals.anchors);
  CHECK((refined.rows - expected.centres).cwiseAbs().maxCoeff() < 1e-6);
}

TEST_CASE("Refine averages the maps of each label", "[refine]") {
  Random random(92);
  INFO(random.note());
  const auto maps = support::random_maps<double>(random, {9, 13}, 5, 1.5, 0.5);
  const auto proposals = some_proposals(maps, 5);
  const auto refined = Refine{.tolerance = 0}(proposals);
  const auto clusters = lloyd_kmeans(maps.rows(), proposals.rows, {.tolerance = 0});
  for (Index k = 0; k < 5; ++k) {
    Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(maps.tokens());
    Index count = 0;
    for (Index map = 0; map < maps.tokens(); ++map) {
      if (clusters.labels[static_cast<std::size_t>(map)] != k) continue;
      mean += maps.rows().row(map);
      ++count;
    }
    CHECK(refined.row_counts[static_cast<std::size_t>(k)] == count);
    CHECK((refined.rows.row(k) - mean / static_cast<double>(count)).cwiseAbs().maxCoeff() < 1e-12);
  }
}

TEST_CASE("Refine leaves no empty cluster and no NaN", "[refine]") {
  Random random(93);
  INFO(random.note());
  const auto maps = support::random_maps<float>(random, {25, 40}, 4);
  auto proposals = some_proposals(maps, 4);
  proposals.rows.row(2).setConstant(1e-9F);  // far from every map
  proposals.rows(2, 0) = 1;
  const auto refined = Refine{}(proposals);
  check_refined(refined, proposals);
  REQUIRE(refined.rows.rows() == 4);
  CHECK(refined.anchors[2].empty());
  CHECK(refined.anchors[1] == proposals.anchors[1]);
  // Equal maps: all in the first cluster, the others end empty and are left out.
  const Maps<float> equal({6, 7}, Matrix<float>::Constant(42, 42, 1.0F / 42));
  const auto flat = some_proposals(equal, 3);
  const auto one = Refine{}(flat);
  check_refined(one, flat);
  CHECK(one.rows.rows() == 1);
}

TEST_CASE("Refine composes from one proposal and one cell on", "[refine]") {
  Random random(94);
  INFO(random.note());
  for (const GridSize grid : {GridSize{1, 1}, {1, 5}, {3, 4}, {8, 9}}) {
    const auto maps = support::random_maps<float>(random, grid, 3);
    const auto chain = Compare{.anchors = {1, 1}} | Merge{} | Refine{} | Assign{.size = {10, 12}};
    const Labels labels = chain(maps);
    CHECK(labels.count() == 1);
    const auto proposals = some_proposals(maps, std::min<Index>(3, grid.cells()));
    check_refined(Refine{}(proposals), proposals);
  }
}

TEST_CASE("Refine reuses the storage of its result and may work in place", "[refine]") {
  Random random(95);
  const auto maps = support::random_maps<float>(random, {10, 10}, 4);
  auto proposals = some_proposals(maps, 4);
  Proposals<float> refined;
  Refine{}(proposals, refined);
  const float* const storage = refined.rows.data();
  const Matrix<float> first = refined.rows;
  Refine{}(proposals, refined);
  CHECK(refined.rows.data() == storage);
  CHECK(same_bits(refined.rows, first));
  Refine{}(proposals, proposals);
  CHECK(same_bits(proposals.rows, first));
}

TEMPLATE_TEST_CASE("Refine gives the same bits for any number of threads", "[refine]", float,
                   double) {
#ifdef _OPENMP
  omp_set_num_threads(8);
#endif
  Random random(96);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {30, 33}, 9, 1.5, 0.5);
  const auto proposals = some_proposals(maps, 9);
  const auto run = [&](int threads) {
    const ThreadLimit limit(threads);
    return Refine{}(proposals);
  };
  const auto one = run(1);
  for (const int threads : {2, 3, 4, 8}) {
    CAPTURE(threads);
    const auto many = run(threads);
    CHECK(same_bits(one.rows, many.rows));
    CHECK(one.row_counts == many.row_counts);
  }
}

TEST_CASE("Refine refuses what it cannot cluster and is empty then", "[refine]") {
  Random random(97);
  const auto maps = support::random_maps<float>(random, {3, 4}, 3);
  const auto good = some_proposals(maps, 3);
  const auto refine = [&](const Refine& stage, const Proposals<float>& proposals) {
    Proposals<float> out = good;
    const std::string text = complaint([&] { stage(proposals, out); });
    CHECK(out.maps.empty());
    CHECK(out.rows.size() == 0);
    CHECK(out.anchors.empty());
    return text;
  };
  CHECK_THAT(refine({.max_iterations = 0}, good), Contains("max_iterations must be >= 1, got 0"));
  CHECK_THAT(refine({.tolerance = -1}, good),
             Contains("tolerance must be >= 0 and finite, got -1"));
  auto bad = good;
  bad.rows.resize(0, 12);
  CHECK_THAT(refine({}, bad), Contains("Refine: there must be at least one proposal, got 0"));
  bad.rows = Matrix<float>::Constant(13, 12, 0.1F);
  CHECK_THAT(refine({}, bad), Contains("proposals must be 1 .. the number of maps 12, got 13"));
  bad.rows = Matrix<float>::Constant(3, 11, 0.1F);
  CHECK_THAT(refine({}, bad), Contains("proposals must have 12 cells"));
  bad = good;
  bad.anchors.pop_back();
  CHECK_THAT(refine({}, bad), Contains("anchors for each proposal 3, got 2"));
  bad = good;
  bad.rows(1, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THAT(refine({}, bad), Contains("centre 1 is not"));
  CHECK_THAT(refine({}, Proposals<float>{}), Contains("Refine: maps must not be empty"));
}
