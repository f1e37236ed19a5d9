// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/math/pca.hpp>

#include "../support/report.hpp"

namespace {

using bench::Index;
using Pca = diffseg::detail::Pca<float>;

/// Orthonormal directions, along which the rows vary as much as is said, and as much as along
/// those of a search that is far wider (0.1 %).
std::string check(const Pca& pca) {
  const auto& rows = bench::coffee_maps().rows();
  const Index count = pca.components.rows();
  const Eigen::MatrixXf gram = pca.components * pca.components.transpose();
  const float skew = (gram - Eigen::MatrixXf::Identity(count, count)).cwiseAbs().maxCoeff();
  if (!(skew < 1e-4F)) return bench::message("directions are orthonormal but for ", skew);
  const Eigen::MatrixXf scores = (rows.rowwise() - pca.mean.row(0)) * pca.components.transpose();
  const double found = scores.cast<double>().squaredNorm() / static_cast<double>(rows.rows() - 1);
  const double said = pca.explained_variance.sum();
  if (!(std::abs(said / found - 1) < 1e-3)) {
    return bench::message("explained variance is ", found, ", but said to be ", said);
  }
  static const double most =
      diffseg::detail::fit_pca(rows, {.components = 32, .power_iterations = 7, .oversampling = 224})
          .explained_variance.sum();
  return found > 0.999 * most ? "" : bench::message("explains ", found, " where ", most, " can be");
}

/// 32 components of all maps. Bytes: one read of them.
void pca_coffee(benchmark::State& state) {
  static const std::string complaint =
      check(diffseg::detail::fit_pca(bench::coffee_maps().rows(), {.components = 32}));
  Pca pca;
  bench::run(state, complaint, bench::bytes(bench::coffee_maps()), 0, [&] {
    pca = diffseg::detail::fit_pca(bench::coffee_maps().rows(), {.components = 32});
  });
  state.counters["explained"] = pca.explained_variance_ratio.sum();
}

/// The scores of all maps along 48 components.
void pca_transform_coffee(benchmark::State& state) {
  const auto& rows = bench::coffee_maps().rows();
  static const Pca pca = diffseg::detail::fit_pca(rows, {.components = 48});
  diffseg::Matrix<float> scores = pca.transform(rows);
  const Eigen::RowVectorXf expected =
      (rows.row(1234) - pca.mean.row(0)) * pca.components.transpose();
  const float error =
      (scores.row(1234) - expected).cwiseAbs().maxCoeff() / expected.cwiseAbs().maxCoeff();
  bench::run(state, error < 1e-4F ? "" : bench::message("scores differ by ", error),
             bench::bytes(bench::coffee_maps()), 0, [&] { scores = pca.transform(rows); });
}

BENCHMARK(pca_coffee)->Apply(bench::threads);
BENCHMARK(pca_transform_coffee)->Apply(bench::threads);

}  // namespace
