// SPDX-License-Identifier: MIT
#include <diffseg/math/row_means.hpp>
#include <numeric>

#include "../support/report.hpp"

namespace {

using bench::Index;

/// The averages of Merge's first iteration: one set of maps per anchor. Bytes are those that adding
/// up every set by itself would read.
void row_means_coffee(benchmark::State& state) {
  const auto& rows = bench::coffee_maps().rows();
  const auto sets = bench::match_sets(bench::coffee_similarities(), 0.9);
  std::vector<Index> order(sets.size());
  std::iota(order.begin(), order.end(), Index{0});
  diffseg::Matrix<float> means;
  diffseg::detail::row_means(rows, sets, order, means);
  Eigen::RowVectorXd expected = Eigen::RowVectorXd::Zero(rows.cols());
  for (const Index row : sets[100]) expected += rows.row(row).cast<double>();
  expected /= static_cast<double>(sets[100].size());
  const double error = (means.row(100).cast<double>() - expected).cwiseAbs().maxCoeff();
  Index added = 0;
  for (const auto& set : sets) added += static_cast<Index>(set.size());
  bench::run(state, error < 1e-6 ? "" : bench::message("differs by ", error),
             added * rows.cols() * Index{4}, 0,
             [&] { diffseg::detail::row_means(rows, sets, order, means); });
}

BENCHMARK(row_means_coffee)->Apply(bench::threads);

}  // namespace
