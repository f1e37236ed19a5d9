// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/math/kmeans.hpp>
#include <diffseg/math/minibatch_kmeans.hpp>
#include <diffseg/math/pca.hpp>

#include "../support/report.hpp"

namespace {

using bench::Index;
using diffseg::Matrix;
using Result = diffseg::detail::KMeansResult<float>;

/// Every label is the nearest centre, up to rounding, and the inertia is what the labels say; from
/// matrix products in double.
std::string check(const Matrix<float>& rows, const Result& result) {
  const Matrix<double> x = rows.cast<double>();
  const Matrix<double> centres = result.centres.cast<double>();
  Matrix<double> distances = -2 * x * centres.transpose();
  distances.rowwise() += centres.rowwise().squaredNorm().transpose();
  distances.colwise() += x.rowwise().squaredNorm();
  const Eigen::VectorXd least = distances.rowwise().minCoeff();
  double inertia = 0;
  for (Index row = 0; row < rows.rows(); ++row) {
    const double own = distances(row, result.labels[static_cast<std::size_t>(row)]);
    inertia += own;
    if (own > least[row] * (1 + 1e-3) + 1e-6 * least.maxCoeff()) {
      return bench::message("row ", row, " is at ", own, " from its centre, at ", least[row],
                            " from another");
    }
  }
  return std::abs(result.inertia / inertia - 1) < 1e-4
             ? ""
             : bench::message("inertia is ", inertia, ", but said to be ", result.inertia);
}

const Matrix<float>& maps() {
  return bench::coffee_maps().rows();
}
const Matrix<float>& centres() {
  return bench::coffee_proposals().rows;
}

const diffseg::detail::Pca<float>& components() {
  static const auto pca = diffseg::detail::fit_pca(maps(), {.components = 48});
  return pca;
}

/// Times cluster(rows, centres), whose result is judged once.
template <class Cluster>
void time(benchmark::State& state, const Matrix<float>& rows, const Matrix<float>& start,
          const Cluster& cluster) {
  Result result = cluster(rows, start);
  bench::run(state, check(rows, result), rows.size() * Index{4}, 0,
             [&] { result = cluster(rows, start); });
  state.counters["clusters"] = static_cast<double>(result.centres.rows());
  state.counters["iterations"] = static_cast<double>(result.iterations);
}

/// Bytes: one read of the rows, however many passes there are.
void lloyd_coffee(benchmark::State& state) {
  time(state, maps(), centres(), [](const auto& rows, const auto& start) {
    return diffseg::detail::lloyd_kmeans(rows, start);
  });
}

void lloyd_coffee_scores(benchmark::State& state) {
  time(state, components().transform(maps()), components().transform(centres()),
       [](const auto& rows, const auto& start) {
         return diffseg::detail::lloyd_kmeans(rows, start);
       });
}

void minibatch_coffee_scores(benchmark::State& state) {
  time(state, components().transform(maps()), components().transform(centres()),
       [](const auto& rows, const auto& start) {
         return diffseg::detail::minibatch_kmeans(rows, start);
       });
}

/// 20 first centres; each must be a row.
void kmeans_plus_plus_coffee(benchmark::State& state) {
  Matrix<float> drawn = diffseg::detail::kmeans_plus_plus(maps(), 20);
  std::string complaint;
  for (Index k = 0; k < drawn.rows(); ++k) {
    const float nearest = (maps().rowwise() - drawn.row(k)).rowwise().squaredNorm().minCoeff();
    if (nearest > 0) complaint = bench::message("centre ", k, " is no row");
  }
  bench::run(state, complaint, maps().size() * Index{4}, 0,
             [&] { drawn = diffseg::detail::kmeans_plus_plus(maps(), 20); });
}

BENCHMARK(lloyd_coffee)->Apply(bench::threads);
BENCHMARK(lloyd_coffee_scores)->Apply(bench::threads);
BENCHMARK(minibatch_coffee_scores)->Apply(bench::threads);
BENCHMARK(kmeans_plus_plus_coffee)->Apply(bench::threads);

}  // namespace
