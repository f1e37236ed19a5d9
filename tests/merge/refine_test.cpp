// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstring>
#include <diffseg/diffseg.hpp>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

constexpr RefineMode modes[] = {RefineMode::projected, RefineMode::minibatch, RefineMode::lloyd};

/// `clusters` of the maps as proposals, all different.
template <class Scalar>
Proposals<Scalar> some_proposals(const Maps<Scalar>& maps, Index clusters) {
  Proposals<Scalar> proposals;
  proposals.maps = maps;
  proposals.rows = kmeans_plus_plus(maps.rows(), clusters, 1);
  proposals.anchors.resize(static_cast<std::size_t>(clusters));
  for (Index k = 0; k < clusters; ++k) proposals.anchors[static_cast<std::size_t>(k)] = {k, k + 7};
  proposals.row_counts.assign(static_cast<std::size_t>(clusters), 3);
  proposals.per_iteration = {20, clusters};
  return proposals;
}

template <class Scalar>
bool same_bits(const Matrix<Scalar>& a, const Matrix<Scalar>& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(Scalar)) == 0;
}

template <class Scalar>
void check_laws(const Proposals<Scalar>& refined, const Proposals<Scalar>& before) {
  CHECK(refined.rows.cols() == before.rows.cols());
  CHECK(refined.rows.minCoeff() > 0);
  CHECK((refined.rows.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-5);
  CHECK(std::accumulate(refined.row_counts.begin(), refined.row_counts.end(), Index{0}) ==
        before.maps.tokens());
  CHECK(static_cast<Index>(refined.row_counts.size()) == refined.rows.rows());
  CHECK(static_cast<Index>(refined.anchors.size()) == refined.rows.rows());
  CHECK(refined.per_iteration == before.per_iteration);
  CHECK(&refined.maps.rows() == &before.maps.rows());
}

using support::complaint;
using support::Contains;

}  // namespace

TEMPLATE_TEST_CASE("Refine replaces proposals by the means of clusters of maps", "[refine]", float,
                   double) {
  Random random(91);
  INFO(random.note());
  const auto maps = support::random_maps<TestType>(random, {28, 31}, 6);
  const auto proposals = some_proposals(maps, 6);
  const auto expected = lloyd_kmeans(maps.rows(), proposals.rows);
  for (const RefineMode mode : modes) {
    CAPTURE(static_cast<int>(mode));
    // Few components, so that the grid is large enough for all that a mode does.
    const auto refined = Refine{.mode = mode, .components = 12, .batch = 100}(proposals);
    check_laws(refined, proposals);
    REQUIRE(refined.rows.rows() == 6);
    CHECK(refined.anchors == proposals.anchors);
    // Clusters as clear as these are found by all modes.
    CHECK((refined.rows - expected.centres).cwiseAbs().maxCoeff() < 1e-6);
  }
}

TEST_CASE("Refine by lloyd averages the maps of each label", "[refine]") {
  Random random(92);
  INFO(random.note());
  const auto maps = support::random_maps<double>(random, {9, 13}, 5, 1.5, 0.5);
  const auto proposals = some_proposals(maps, 5);
  const auto refined = Refine{.mode = RefineMode::lloyd, .tolerance = 0}(proposals);
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
  for (const RefineMode mode : modes) {
    CAPTURE(static_cast<int>(mode));
    const auto refined = Refine{.mode = mode, .components = 10}(proposals);
    check_laws(refined, proposals);
    REQUIRE(refined.rows.rows() == 4);
    // Along the components of the maps it may be among them.
    if (mode == RefineMode::lloyd) CHECK(refined.anchors[2].empty());
    CHECK(refined.anchors[1] == proposals.anchors[1]);
  }
  // Equal maps: all in the first cluster, the others end empty and are left out.
  const Maps<float> equal({6, 7}, Matrix<float>::Constant(42, 42, 1.0F / 42));
  const auto flat = some_proposals(equal, 3);
  for (const RefineMode mode : modes) {
    const auto refined = Refine{.mode = mode, .components = 3}(flat);
    check_laws(refined, flat);
    CHECK(refined.rows.rows() == 1);
  }
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
    for (const RefineMode mode : modes) check_laws(Refine{.mode = mode}(proposals), proposals);
  }
}

TEST_CASE("Refine reuses the storage of its result", "[refine]") {
  Random random(95);
  const auto maps = support::random_maps<float>(random, {10, 10}, 4);
  const auto proposals = some_proposals(maps, 4);
  Proposals<float> refined;
  Refine{}(proposals, refined);
  const float* const storage = refined.rows.data();
  const Matrix<float> first = refined.rows;
  Refine{}(proposals, refined);
  CHECK(refined.rows.data() == storage);
  CHECK(same_bits(refined.rows, first));
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
  for (const RefineMode mode : modes) {
    const Refine refine{.mode = mode, .components = 16, .batch = 64};
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

TEST_CASE("Refine refuses what it cannot cluster", "[refine]") {
  Random random(97);
  const auto maps = support::random_maps<float>(random, {3, 4}, 3);
  const auto good = some_proposals(maps, 3);
  const auto refine = [&](const Refine& stage, const Proposals<float>& proposals) {
    return complaint([&] { static_cast<void>(stage(proposals)); });
  };
  CHECK_THAT(refine({.components = 0}, good), Contains("Refine: components must be >= 1, got 0"));
  CHECK_THAT(refine({.batch = 0}, good), Contains("Refine: batch must be >= 1, got 0"));
  CHECK_THAT(refine({.max_iterations = 0}, good), Contains("max_iterations must be >= 1, got 0"));
  CHECK_THAT(refine({.tolerance = -1}, good),
             Contains("tolerance must be >= 0 and finite, got -1"));
  auto bad = good;
  bad.rows.resize(0, 12);
  CHECK_THAT(refine({}, bad), Contains("proposals must be 1 .. the number of maps 12, got 0"));
  bad.rows = Matrix<float>::Constant(13, 12, 0.1F);
  CHECK_THAT(refine({}, bad), Contains("got 13"));
  bad.rows = Matrix<float>::Constant(3, 11, 0.1F);
  CHECK_THAT(refine({}, bad), Contains("proposals must have 12 cells"));
  bad = good;
  bad.anchors.pop_back();
  CHECK_THAT(refine({}, bad), Contains("anchors for each proposal 3, got 2"));
  bad = good;
  bad.rows(1, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THAT(refine({}, bad), Contains("centre 1 is not"));
  CHECK_THAT(refine({}, Proposals<float>{}), Contains("the number of maps 0, got 0"));
}
