// SPDX-License-Identifier: MIT
#include <Eigen/Eigenvalues>
#include <cmath>
#include <diffseg/core/parallel.hpp>
#include <diffseg/math/pca.hpp>
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
using support::same_bits;

namespace {

/// Rows around an offset, with standard deviations 2 / (1 + i / decay) along random directions.
template <class Scalar>
Matrix<Scalar> decaying_rows(Random& random, Index count, Index width, double decay = 3,
                             double offset = 0) {
  const Index rank = std::min<Index>({count, width, 60});
  Matrix<double> left(count, rank), right(rank, width);
  for (double& value : left.reshaped()) value = random.normal();
  for (double& value : right.reshaped()) value = random.normal();
  for (Index i = 0; i < rank; ++i) {
    right.row(i) *= 2 / (1 + static_cast<double>(i) / decay) / right.row(i).norm();
  }
  Matrix<double> rows = left * right;
  for (double& value : rows.reshaped()) value += offset + 0.01 * random.normal();
  return rows.cast<Scalar>();
}

struct Exact {
  Eigen::MatrixXd components;  // [k x n]
  Eigen::VectorXd variance;
  double total;

  template <class Scalar>
  Exact(const Matrix<Scalar>& rows, Index k) {
    const Eigen::MatrixXd wide = rows.template cast<double>();
    const Eigen::MatrixXd x = wide.rowwise() - wide.colwise().mean();
    const Eigen::Index count = x.rows(), width = x.cols();
    // The singular value decomposition as the eigenvectors of [0 X; X^T 0]: unlike those of X^T X
    // they keep all digits, and unlike Eigen's SVD they compile in no time.
    Eigen::MatrixXd both = Eigen::MatrixXd::Zero(count + width, count + width);
    both.topRightCorner(count, width) = x;
    both.bottomLeftCorner(width, count) = x.transpose();
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> svd(both);
    components = std::sqrt(2) *
                 svd.eigenvectors().bottomRows(width).rightCols(k).transpose().colwise().reverse();
    variance =
        svd.eigenvalues().tail(k).reverse().array().square() / static_cast<double>(count - 1);
    total = x.squaredNorm() / static_cast<double>(rows.rows() - 1);
  }
};

/// Sine of the largest angle between the planes of two sets of orthonormal rows.
template <class Left, class Right>
double largest_angle(const Left& left, const Right& right) {
  const Eigen::MatrixXd from = left.template cast<double>();
  const Eigen::MatrixXd to = right.template cast<double>();
  const Eigen::MatrixXd outside = from - from * to.transpose() * to;
  const Eigen::MatrixXd gram = outside * outside.transpose();
  return std::sqrt(Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(gram).eigenvalues().maxCoeff());
}

template <class Scalar>
double lack_of_orthonormality(const Matrix<Scalar>& rows) {
  const Eigen::MatrixXd gram =
      rows.template cast<double>() * rows.template cast<double>().transpose();
  return (gram - Eigen::MatrixXd::Identity(gram.rows(), gram.cols())).cwiseAbs().maxCoeff();
}

template <class Scalar>
constexpr double precision = sizeof(Scalar) == 4 ? 2e-5 : 1e-10;

using support::complaint;
using support::Contains;

}  // namespace

TEMPLATE_TEST_CASE("fit_pca is exact through either Gram matrix", "[pca]", float, double) {
  Random random(31);
  INFO(random.note());
  for (const auto& [count, width] : {std::pair<Index, Index>{90, 17}, {17, 90}, {40, 40}, {2, 3}}) {
    CAPTURE(count, width);
    const Index k = std::min<Index>(7, std::min(count, width) - 1);
    const auto rows = decaying_rows<TestType>(random, count, width, 2, 5);
    const Exact exact(rows, k);
    const auto pca = fit_pca(rows, {.components = k, .method = PcaMethod::exact});
    CHECK(lack_of_orthonormality(pca.components) < precision<TestType>);
    CHECK(largest_angle(pca.components, exact.components) < 100 * precision<TestType>);
    for (Index i = 0; i < k; ++i) {
      CHECK(pca.explained_variance[i] == Approx(exact.variance[i]).epsilon(precision<TestType>));
      CHECK(pca.explained_variance_ratio[i] ==
            Approx(exact.variance[i] / exact.total).epsilon(precision<TestType>));
      // One direction at a time, sign included.
      Eigen::RowVectorXd expected = exact.components.row(i);
      Index largest = 0;
      expected.cwiseAbs().maxCoeff(&largest);
      if (expected[largest] < 0) expected *= -1;
      CHECK((pca.components.row(i).template cast<double>() - expected).norm() <
            1000 * precision<TestType>);
    }
  }
}

TEMPLATE_TEST_CASE("fit_pca by random directions comes near the exact one", "[pca][long]", float,
                   double) {
  Random random(32);
  INFO(random.note());
  for (const auto& [count, width] : {std::pair<Index, Index>{700, 190}, {201, 650}, {333, 333}}) {
    CAPTURE(count, width);
    const auto rows = decaying_rows<TestType>(random, count, width, 3, 1);
    const Exact exact(rows, 12);
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      const auto pca =
          fit_pca(rows, {.components = 12, .method = PcaMethod::randomized, .seed = seed});
      CHECK(lack_of_orthonormality(pca.components) < precision<TestType>);
      CHECK(largest_angle(pca.components, exact.components) < 0.05);
      for (Index i = 0; i < 12; ++i) {
        CHECK(pca.explained_variance[i] == Approx(exact.variance[i]).epsilon(0.01));
        CHECK(pca.explained_variance[i] <= exact.variance[i] * (1 + precision<TestType>));
      }
      CHECK(pca.explained_variance_ratio.sum() ==
            Approx(exact.variance.sum() / exact.total).epsilon(0.001));
    }
  }
}

TEST_CASE("fit_pca is exact where little would be saved", "[pca][long]") {
  Random random(38);
  INFO(random.note());
  const auto is_exact = [&](Index side, Index components) {
    const auto rows = decaying_rows<float>(random, side, side + 1, 3, 1);
    const auto fitted = [&](PcaMethod method) {
      return fit_pca(rows, {.components = components,
                            .method = method,
                            .power_iterations = 0,
                            .oversampling = 48})
          .components;
    };
    const auto automatic = fitted(PcaMethod::automatic);
    const bool exact = same_bits(automatic, fitted(PcaMethod::exact));
    REQUIRE(exact != same_bits(automatic, fitted(PcaMethod::randomized)));
    return exact;
  };
  CHECK(is_exact(512, 4));
  CHECK_FALSE(is_exact(514, 4));
  CHECK_FALSE(is_exact(514, 208));  // 208 + 48 directions are fewer than half of them
  CHECK(is_exact(514, 209));
}

TEST_CASE("fit_pca gets nearer with power iterations", "[pca]") {
  Random random(33);
  INFO(random.note());
  const auto rows = decaying_rows<double>(random, 500, 400, 20);
  const Exact exact(rows, 10);
  double before = 1;
  for (const Index power : {0, 1, 2}) {
    const auto pca = fit_pca(rows, {.components = 10,
                                    .method = PcaMethod::randomized,
                                    .power_iterations = power,
                                    .oversampling = 2 + 12 * power});
    const double missing = 1 - pca.explained_variance.sum() / exact.variance.sum();
    CAPTURE(power, missing);
    CHECK(missing > -1e-12);
    CHECK(missing < before / 2);
    before = missing;
  }
  CHECK(before < 0.01);
}

TEMPLATE_TEST_CASE("Pca transforms there and back", "[pca]", float, double) {
  Random random(34);
  INFO(random.note());
  const auto rows = decaying_rows<TestType>(random, 300, 40, 3, 2);
  for (const auto method : {PcaMethod::exact, PcaMethod::randomized}) {
    Matrix<TestType> fitted;
    const auto all = fit_pca(rows, {.components = 40, .method = method, .oversampling = 0}, fitted);
    const auto scores = all.transform(rows);
    CHECK((scores - fitted).cwiseAbs().maxCoeff() < 10 * precision<TestType>);
    CHECK((all.inverse(scores) - rows).cwiseAbs().maxCoeff() < 10 * precision<TestType>);
    CHECK(all.explained_variance_ratio.sum() == Approx(1).epsilon(1e-5));

    const auto pca = fit_pca(rows, {.components = 5, .method = method, .whiten = true});
    const Eigen::MatrixXd white = pca.transform(rows).template cast<double>();
    CHECK(white.colwise().mean().cwiseAbs().maxCoeff() < 10 * precision<TestType>);
    const Eigen::MatrixXd covariance = white.transpose() * white / 299.0;
    CHECK((covariance - Eigen::MatrixXd::Identity(5, 5)).cwiseAbs().maxCoeff() < 0.01);
    auto plain = pca;
    plain.whiten = false;
    CHECK((plain.inverse(plain.transform(rows)) - pca.inverse(pca.transform(rows)))
              .cwiseAbs()
              .maxCoeff() < 10 * precision<TestType>);
  }
}

TEMPLATE_TEST_CASE("fit_pca completes what the rows do not span", "[pca]", float, double) {
  Random random(35);
  INFO(random.note());
  Matrix<TestType> flat = Matrix<TestType>::Constant(50, 30, TestType(0.3));
  Matrix<TestType> line = flat;
  for (Index row = 0; row < 50; ++row) line.row(row) *= static_cast<TestType>(row + 1);
  for (const auto method : {PcaMethod::exact, PcaMethod::randomized}) {
    for (const bool is_line : {false, true}) {
      const auto& rows = is_line ? line : flat;
      const auto pca = fit_pca(rows, {.components = 6, .method = method, .whiten = true});
      CHECK(lack_of_orthonormality(pca.components) < precision<TestType>);
      CHECK(pca.explained_variance_ratio.allFinite());
      CHECK(pca.explained_variance_ratio.sum() <= 1 + 1e-5);  // of equal rows: that of rounding
      if (is_line) CHECK(pca.explained_variance_ratio[0] == Approx(1).epsilon(1e-5));
      CHECK(pca.transform(rows).allFinite());
      CHECK(pca.inverse(pca.transform(rows)).allFinite());
    }
  }
}

TEMPLATE_TEST_CASE("fit_pca of a sample is that of its rows copied", "[pca]", float, double) {
  Random random(39);
  INFO(random.note());
  const auto rows = decaying_rows<TestType>(random, 700, 150, 3, 1);
  std::vector<Index> sample;  // neither in order nor without repetition
  for (Index i = 0; i < 310; ++i) sample.push_back((i * 37 + 11) % 700);
  sample.push_back(sample[5]);
  Matrix<TestType> copied(311, 150);
  for (std::size_t i = 0; i < sample.size(); ++i) {
    copied.row(static_cast<Index>(i)) = rows.row(sample[i]);
  }
  for (const auto method : {PcaMethod::exact, PcaMethod::randomized}) {
    const PcaOptions options{.components = 9, .method = method};
    PcaOptions sampled = options;
    sampled.sample = sample;
    Matrix<TestType> scores, expected_scores;
    const auto pca = fit_pca(rows, sampled, scores);
    const auto expected = fit_pca(copied, options, expected_scores);
    CHECK(same_bits(pca.mean, expected.mean));
    CHECK(same_bits(pca.components, expected.components));
    CHECK(same_bits(scores, expected_scores));
    CHECK(scores.rows() == 311);
    CHECK(pca.explained_variance == expected.explained_variance);
    CHECK(pca.explained_variance_ratio == expected.explained_variance_ratio);
  }
}

TEST_CASE("fit_pca keeps its digits far from the origin", "[pca]") {
  Random random(36);
  INFO(random.note());
  const auto rows = decaying_rows<float>(random, 600, 100, 3, 500);
  const Exact exact(rows, 5);
  const auto pca = fit_pca(rows, {.components = 5, .method = PcaMethod::randomized});
  for (Index i = 0; i < 5; ++i) {
    CHECK(pca.explained_variance[i] == Approx(exact.variance[i]).epsilon(0.01));
  }
}

TEMPLATE_TEST_CASE("fit_pca gives the same bits for any number of threads", "[pca]", float,
                   double) {
#ifdef _OPENMP
  omp_set_num_threads(8);
#endif
  Random random(37);
  INFO(random.note());
  const auto rows = decaying_rows<TestType>(random, 1500, 600);
  for (const auto method : {PcaMethod::exact, PcaMethod::randomized}) {
    const auto run = [&](int threads, Matrix<TestType>& scores, Matrix<TestType>& back) {
      const ThreadLimit limit(threads);
      Eigen::setNbThreads(threads);  // as callers do that use Eigen themselves
      auto pca = fit_pca(rows, {.components = 20, .method = method}, scores);
      back = pca.inverse(pca.transform(rows));
      return pca;
    };
    Matrix<TestType> scores, back, other_scores, other_back;
    const auto one = run(1, scores, back);
    for (const int threads : {2, 3, 4, 8}) {
      CAPTURE(threads);
      const auto many = run(threads, other_scores, other_back);
      CHECK(same_bits(one.components, many.components));
      CHECK(same_bits(one.mean, many.mean));
      CHECK(one.explained_variance == many.explained_variance);
      CHECK(one.explained_variance_ratio == many.explained_variance_ratio);
      CHECK(same_bits(scores, other_scores));
      CHECK(same_bits(back, other_back));
    }
  }
  Eigen::setNbThreads(0);
}

TEST_CASE("PCA refuses what it cannot fit", "[pca]") {
  Random random(38);
  auto rows = decaying_rows<float>(random, 9, 5);
  const auto fit = [&](const PcaOptions& options) {
    return complaint([&] { static_cast<void>(fit_pca(rows, options)); });
  };
  CHECK_THAT(fit({.components = 0}), Contains("lesser of rows and columns 5, got 0"));
  CHECK_THAT(fit({.components = 6}), Contains("lesser of rows and columns 5, got 6"));
  CHECK_THAT(fit({.components = 2, .power_iterations = -1}), Contains("must be >= 0, got -1"));
  CHECK_THAT(fit({.components = 2, .oversampling = -3}), Contains("and -3"));
  CHECK_THAT(fit({.components = 2, .sample = {0, 8, 9}}), Contains("rows 0 .. 8, got 9"));
  CHECK_THAT(fit({.components = 2, .sample = {3, -1}}), Contains("rows 0 .. 8, got -1"));
  CHECK_THAT(fit({.components = 4, .sample = {1, 2, 3}}), Contains("and columns 3, got 4"));
  const auto pca = fit_pca(rows, {.components = 2});
  CHECK_THAT(complaint([&] { static_cast<void>(pca.transform(Matrix<float>(3, 4))); }),
             Contains("the width fitted 5, got 4"));
  CHECK_THAT(complaint([&] { static_cast<void>(pca.inverse(Matrix<float>(3, 4))); }),
             Contains("there are components 2, got 4"));
  rows(4, 4) = std::numeric_limits<float>::infinity();
  CHECK_THAT(fit({.components = 2}), Contains("rows must be finite, row 4 is not"));
  CHECK_THAT(fit({.components = 2, .sample = {8, 4, 2}}), Contains("row 4 is not"));
  CHECK(fit({.components = 2, .sample = {8, 3, 2}}) == "no error");  // only what is fitted is read
}
