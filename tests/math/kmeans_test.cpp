// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/core/parallel.hpp>
#include <diffseg/math/kmeans.hpp>
#include <diffseg/math/minibatch_kmeans.hpp>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"
#include "support/same.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

template <class Scalar>
Matrix<Scalar> blobs(Random& random, Index count, Index width, Index clusters, double spread,
                     double offset = 0) {
  Matrix<double> middles(clusters, width);
  for (double& value : middles.reshaped()) value = offset + random.normal();
  Matrix<Scalar> rows(count, width);
  for (Index row = 0; row < count; ++row) {
    for (Index i = 0; i < width; ++i) {
      rows(row, i) = static_cast<Scalar>(middles(row % clusters, i) + spread * random.normal());
    }
  }
  return rows;
}

/// Lloyd's KMeans, literally, in double; no empty clusters.
struct Plain {
  Matrix<double> centres;
  std::vector<std::int32_t> labels;
  double inertia = 0;
  Index iterations = 0;
  double margin = 1e300;  ///< how close a decision was, relative

  Plain(const Matrix<double>& rows, const Matrix<double>& start, double tolerance)
      : centres(start), labels(static_cast<std::size_t>(rows.rows()), -1) {
    const Matrix<double> centred = rows.rowwise() - rows.colwise().mean();
    const double limit = tolerance * centred.squaredNorm() / static_cast<double>(rows.size());
    for (bool stop = false; !stop;) {
      ++iterations;
      if (!assign(rows)) break;
      Matrix<double> next = Matrix<double>::Zero(centres.rows(), centres.cols());
      std::vector<double> counts(static_cast<std::size_t>(centres.rows()), 0.0);
      for (Index row = 0; row < rows.rows(); ++row) {
        next.row(label(row)) += rows.row(row);
        counts[static_cast<std::size_t>(label(row))] += 1;
      }
      for (Index k = 0; k < next.rows(); ++k) next.row(k) /= counts[static_cast<std::size_t>(k)];
      stop = (next - centres).squaredNorm() <= limit;
      centres = next;
    }
    assign(rows);
    for (Index row = 0; row < rows.rows(); ++row) {
      inertia += (rows.row(row) - centres.row(label(row))).squaredNorm();
    }
  }

  std::int32_t& label(Index row) { return labels[static_cast<std::size_t>(row)]; }

  bool assign(const Matrix<double>& rows) {
    bool changed = false;
    for (Index row = 0; row < rows.rows(); ++row) {
      Eigen::VectorXd distances = (centres.rowwise() - rows.row(row)).rowwise().squaredNorm();
      Index best = 0;
      const double least = distances.minCoeff(&best);
      distances[best] = std::numeric_limits<double>::max();
      margin = std::min(margin, distances.minCoeff() / least - 1);
      changed = changed || label(row) != best;
      label(row) = static_cast<std::int32_t>(best);
    }
    return changed;
  }
};

using support::same_bits;

template <class Scalar>
bool same_bits(const KMeansResult<Scalar>& a, const KMeansResult<Scalar>& b) {
  return same_bits(a.centres, b.centres) && a.labels == b.labels && a.inertia == b.inertia &&
         a.iterations == b.iterations && a.converged == b.converged && a.reseeded == b.reseeded;
}

using support::complaint;
using support::Contains;

}  // namespace

TEMPLATE_TEST_CASE("lloyd_kmeans is Lloyd's algorithm", "[kmeans]", float, double) {
  Random random(71);
  INFO(random.note());
  // Widths below and above where bounds set in, off the multiples of packets and of tiles.
  for (const Index width : {1, 3, 31, 127, 128, 200, 1030}) {
    CAPTURE(width);
    const auto rows = blobs<TestType>(random, 701, width, 9, 1.0);
    const Matrix<TestType> start = rows.topRows(9);
    for (const double tolerance : {0.0, 1e-3}) {
      const Plain plain(rows.template cast<double>(), start.template cast<double>(), tolerance);
      const auto result = lloyd_kmeans(rows, start, {.tolerance = tolerance});
      if (sizeof(TestType) == 4 && plain.margin < 1e-5) continue;  // rounding may decide
      CHECK(result.labels == plain.labels);
      CHECK(result.iterations == plain.iterations);
      CHECK(result.converged);
      CHECK(result.reseeded.empty());
      CHECK(result.inertia == Approx(plain.inertia).epsilon(1e-5));
      CHECK((result.centres.template cast<double>() - plain.centres).cwiseAbs().maxCoeff() < 1e-5);
    }
  }
}

TEST_CASE("lloyd_kmeans keeps its digits far from the origin", "[kmeans]") {
  Random random(72);
  INFO(random.note());
  const auto rows = blobs<float>(random, 600, 150, 5, 0.05, 1000);
  const Matrix<float> start = rows.topRows(5);
  const Plain plain(rows.cast<double>(), start.cast<double>(), 1e-4);
  const auto result = lloyd_kmeans(rows, start);
  CHECK(result.labels == plain.labels);
  CHECK(result.inertia == Approx(plain.inertia).epsilon(1e-3));
}

TEST_CASE("lloyd_kmeans stops at its most iterations and says so", "[kmeans]") {
  Random random(73);
  INFO(random.note());
  const auto rows = blobs<double>(random, 900, 4, 30, 1.0);
  const Matrix<double> start = rows.topRows(12);
  const auto whole = lloyd_kmeans(rows, start, {.tolerance = 0});
  REQUIRE(whole.iterations > 4);
  double before = std::numeric_limits<double>::max();
  for (Index most = 1; most < whole.iterations; ++most) {
    const auto result = lloyd_kmeans(rows, start, {.max_iterations = most, .tolerance = 0});
    CHECK(result.iterations == most);
    CHECK_FALSE(result.converged);
    CHECK(result.inertia <= before * (1 + 1e-12));
    before = result.inertia;
  }
  CHECK(whole.inertia <= before);
}

TEMPLATE_TEST_CASE("KMeans gives the same bits for any number of threads", "[kmeans][long]", float,
                   double) {
#ifdef _OPENMP
  omp_set_num_threads(8);
#endif
  Random random(74);
  INFO(random.note());
  for (const Index width : {5, 700}) {
    const auto rows = blobs<TestType>(random, 5000, width, 9, 2.0);
    Matrix<TestType> start = rows.topRows(9);
    start.row(3).setConstant(1000);  // runs empty
    const auto run = [&](int threads) {
      const ThreadLimit limit(threads);
      return std::make_tuple(lloyd_kmeans(rows, start),
                             minibatch_kmeans(rows, start, {.batch = 300, .max_passes = 3}),
                             kmeans_plus_plus(rows, 9, 5));
    };
    const auto one = run(1);
    CHECK(std::get<0>(one).reseeded == std::vector<Index>{3});
    for (const int threads : {2, 3, 4, 8}) {
      CAPTURE(width, threads);
      const auto many = run(threads);
      CHECK(same_bits(std::get<0>(one), std::get<0>(many)));
      CHECK(same_bits(std::get<1>(one), std::get<1>(many)));
      CHECK(same_bits(std::get<2>(one), std::get<2>(many)));
    }
  }
}

TEST_CASE("lloyd_kmeans gives an empty cluster the farthest row", "[kmeans]") {
  Matrix<float> rows(6, 1);
  rows << 0, 1, 2, 10, 11, 40;
  Matrix<float> start(3, 1);
  start << 1, 12, 1e6F;
  const auto result = lloyd_kmeans(rows, start);
  CHECK(result.reseeded == std::vector<Index>{2});
  CHECK(result.labels == std::vector<std::int32_t>{0, 0, 0, 1, 1, 2});
  CHECK(result.centres(1, 0) == Approx(10.5));
  CHECK(result.centres(2, 0) == 40);
  CHECK(result.inertia == Approx(2.5));
}

TEMPLATE_TEST_CASE("KMeans is defined where rows are equal", "[kmeans]", float, double) {
  for (const Index width : {2, 300}) {
    const Matrix<TestType> rows = Matrix<TestType>::Constant(20, width, TestType(0.1));
    Matrix<TestType> start = rows.topRows(4);
    start.row(1).setZero();
    for (const auto& result : {lloyd_kmeans(rows, start), minibatch_kmeans(rows, start)}) {
      // One label for all; which one is a matter of the last bit of a mean.
      CHECK(result.labels == std::vector<std::int32_t>(20, result.labels.front()));
      CHECK(result.inertia < 1e-12);
      CHECK(result.centres.allFinite());
    }
    CHECK(lloyd_kmeans(rows, start).converged);
    CHECK(kmeans_plus_plus(rows, 20) == rows);
    CHECK(lloyd_kmeans(rows, kmeans_plus_plus(rows, 20)).inertia < 1e-12);
  }
}

TEST_CASE("KMeans of as many clusters as rows has no inertia", "[kmeans]") {
  Random random(75);
  const auto rows = blobs<double>(random, 40, 3, 40, 1.0);
  const auto result = lloyd_kmeans(rows, kmeans_plus_plus(rows, 40));
  CHECK(result.inertia == 0);
  CHECK(lloyd_kmeans(rows, Matrix<double>(rows.topRows(1))).iterations == 2);
}

TEST_CASE("kmeans_plus_plus draws the same rows everywhere", "[kmeans]") {
  Matrix<double> rows(8, 2);  // whole numbers: no rounding, so no platform can differ
  rows << 0, 0, 1, 0, 50, 50, 51, 50, 0, 90, 1, 91, 90, 0, 91, 1;
  const auto centres = kmeans_plus_plus(rows, 4, 3);
  Matrix<double> expected(4, 2);
  expected << 1, 91, 90, 0, 0, 0, 51, 50;
  CHECK(centres == expected);
  CHECK(kmeans_plus_plus(rows, 4, 4) != expected);
  CHECK(kmeans_plus_plus(Matrix<float>(rows.cast<float>()), 4, 3) == expected.cast<float>());
}

TEST_CASE("kmeans_plus_plus finds blobs that are far apart", "[kmeans]") {
  Random random(76);
  INFO(random.note());
  const auto rows = blobs<float>(random, 400, 20, 8, 0.02);
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const auto result = lloyd_kmeans(rows, kmeans_plus_plus(rows, 8, seed));
    CHECK(result.inertia < 400 * 20 * 0.02 * 0.02 * 1.1);
  }
}

TEMPLATE_TEST_CASE("minibatch_kmeans comes near Lloyd's inertia and stops early", "[kmeans]", float,
                   double) {
  Random random(77);
  INFO(random.note());
  const auto rows = blobs<TestType>(random, 6000, 24, 12, 0.4);
  const auto start = kmeans_plus_plus(rows, 12);
  const auto exact = lloyd_kmeans(rows, start);
  const auto result = minibatch_kmeans(rows, start, {.batch = 256});
  CHECK(result.converged);
  CHECK(result.iterations < 100 * 6000 / 256);
  CHECK(result.inertia < 1.05 * exact.inertia);
  CHECK(result.inertia > 0.999 * exact.inertia);
  const auto again = minibatch_kmeans(rows, start, {.batch = 256});
  CHECK(same_bits(result, again));
  CHECK_FALSE(same_bits(result, minibatch_kmeans(rows, start, {.batch = 256, .seed = 1})));
  const auto few = minibatch_kmeans(rows, start, {.batch = 256, .max_passes = 1});
  CHECK(few.iterations <= 24);
}

TEST_CASE("minibatch_kmeans ends after as many batches without gain as it has patience",
          "[kmeans][unit]") {
  // Equal rows: the inertia is 0 from the second batch on, which is the first that counts.
  const Matrix<float> rows = Matrix<float>::Constant(8, 3, 2);
  const Matrix<float> start = rows.topRows(1);
  for (const Index patience : {1, 2, 5}) {
    const auto result = minibatch_kmeans(rows, start, {.batch = 8, .patience = patience});
    CHECK(result.converged);
    CHECK(result.iterations == 2 + patience);
  }
}

TEST_CASE("minibatch_kmeans moves starved centres and reports them", "[kmeans]") {
  Random random(78);
  INFO(random.note());
  const auto rows = blobs<float>(random, 3000, 8, 5, 0.1);
  Matrix<float> start = kmeans_plus_plus(rows, 5);
  start.row(2).setConstant(1e4F);
  const auto result = minibatch_kmeans(rows, start, {.batch = 100});
  REQUIRE_FALSE(result.reseeded.empty());
  CHECK(result.reseeded.front() == 2);
  CHECK(result.centres.row(2).cwiseAbs().maxCoeff() < 100);
  CHECK(std::count(result.labels.begin(), result.labels.end(), 2) > 0);
  const auto fixed = minibatch_kmeans(rows, start, {.batch = 100, .reassignment_ratio = 0});
  CHECK(fixed.reseeded.empty());
  CHECK(fixed.centres.row(2) == start.row(2));
}

TEST_CASE("KMeans refuses what it cannot cluster", "[kmeans]") {
  Random random(79);
  auto rows = blobs<float>(random, 10, 4, 2, 1);
  const Matrix<float> start = rows.topRows(3);
  const auto both = [&](const Matrix<float>& centres) {
    const std::string lloyd = complaint([&] { static_cast<void>(lloyd_kmeans(rows, centres)); });
    CHECK(lloyd == complaint([&] { static_cast<void>(minibatch_kmeans(rows, centres)); }));
    return lloyd;
  };
  CHECK_THAT(both(Matrix<float>(0, 4)),
             Contains("clusters must be 1 .. the number of rows 10, got 0"));
  CHECK_THAT(both(Matrix<float>::Zero(11, 4)), Contains("got 11"));
  CHECK_THAT(both(Matrix<float>::Zero(3, 5)), Contains("the width of the rows 4, got 5"));
  Matrix<float> bad = start;
  bad(2, 1) = std::numeric_limits<float>::infinity();
  CHECK_THAT(both(bad), Contains("centre 2 is not"));
  const auto lloyd = [&](const KMeansOptions& options) {
    return complaint([&] { static_cast<void>(lloyd_kmeans(rows, start, options)); });
  };
  CHECK_THAT(lloyd({.max_iterations = 0}), Contains("max_iterations must be >= 1, got 0"));
  CHECK_THAT(lloyd({.tolerance = -1}), Contains("tolerance must be >= 0 and finite, got -1"));
  const auto batches = [&](const MiniBatchOptions& options) {
    return complaint([&] { static_cast<void>(minibatch_kmeans(rows, start, options)); });
  };
  CHECK_THAT(batches({.batch = 0}), Contains("batch must be >= 1, got 0"));
  CHECK_THAT(batches({.max_passes = 0}), Contains("max_passes must be >= 1, got 0"));
  CHECK_THAT(batches({.patience = 0}), Contains("patience must be >= 1, got 0"));
  CHECK_THAT(batches({.reassignment_ratio = 2}),
             Contains("reassignment_ratio must be 0 .. 1, got 2"));
  const auto draw = [&](Index clusters) {
    return complaint([&] { static_cast<void>(kmeans_plus_plus(rows, clusters)); });
  };
  CHECK_THAT(draw(0), Contains("clusters must be 1 .. the number of rows 10, got 0"));
  CHECK_THAT(draw(11), Contains("got 11"));
  rows(7, 3) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THAT(both(start), Contains("rows must be finite, row 7 is not"));
  CHECK_THAT(draw(2), Contains("row 7 is not"));
}
