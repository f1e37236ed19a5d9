// SPDX-License-Identifier: MIT
#include <diffseg/merge/refine_projected.hpp>

#include "../support/report.hpp"

namespace {

using bench::Index;
using diffseg::Matrix;
using diffseg::Refine;
using diffseg::RefineProjected;

/// The sum of squared distances of all maps to the means of their clusters, in double.
double inertia(const Matrix<float>& maps, const std::vector<std::int32_t>& labels, Index clusters) {
  Matrix<double> sums = Matrix<double>::Zero(clusters, maps.cols());
  Eigen::VectorXd counts = Eigen::VectorXd::Zero(clusters);
  for (Index row = 0; row < maps.rows(); ++row) {
    const auto label = labels[static_cast<std::size_t>(row)];
    sums.row(label) += maps.row(row).cast<double>();
    counts[label] += 1;
  }
  for (Index k = 0; k < clusters; ++k) sums.row(k) /= std::max(1.0, counts[k]);
  double total = 0;
  for (Index row = 0; row < maps.rows(); ++row) {
    const auto label = labels[static_cast<std::size_t>(row)];
    total += (maps.row(row).cast<double>() - sums.row(label)).squaredNorm();
  }
  return total;
}

/// As good as Lloyd's clusters within 1 %, and every proposal the mean of one: it sums to 1.
template <class Stage>
std::string check(const diffseg::Proposals<float>& proposals, const Stage& stage) {
  const auto& maps = proposals.maps.rows();
  const Index clusters = proposals.rows.rows();
  const auto plain = diffseg::detail::lloyd_kmeans(maps, proposals.rows);
  const double least = inertia(maps, plain.labels, clusters);
  const double found = inertia(maps, stage.cluster(proposals).labels, clusters);
  if (!(found < 1.01 * least)) return bench::message("inertia is ", found, ", Lloyd's ", least);
  const auto refined = stage(proposals);
  const float worst = (refined.rows.rowwise().sum().array() - 1).abs().maxCoeff();
  return worst <= 1e-5F ? "" : bench::message("rows sum to 1 but for ", worst);
}

/// Bytes: the maps once for the clusters and once for their means.
template <class Stage>
void refine(benchmark::State& state, const Stage& stage) {
  const auto& proposals = bench::coffee_proposals();
  const std::string complaint = check(proposals, stage);
  diffseg::Proposals<float> out;
  bench::run(state, complaint, 2 * bench::bytes(proposals.maps), 0, [&] { stage(proposals, out); });
  state.counters["proposals"] = static_cast<double>(out.rows.rows());
}

void refine_projected_coffee(benchmark::State& state) {
  refine(state, RefineProjected{});
}
void refine_minibatch_coffee(benchmark::State& state) {
  refine(state, RefineProjected{.mode = RefineProjected::Mode::minibatch});
}
void refine_lloyd_coffee(benchmark::State& state) {
  refine(state, Refine{});
}

BENCHMARK(refine_projected_coffee)->Apply(bench::threads);
BENCHMARK(refine_minibatch_coffee)->Apply(bench::threads);
BENCHMARK(refine_lloyd_coffee)->Apply(bench::threads);

}  // namespace
