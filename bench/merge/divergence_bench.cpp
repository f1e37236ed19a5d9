// SPDX-License-Identifier: MIT
#include <numeric>

#include "../support/report.hpp"

namespace {

using bench::Index;

/// One pair, the plain reference.
void divergence_pair(benchmark::State& state) {
  const auto& maps = bench::coffee_maps();
  const auto tokens = static_cast<std::size_t>(maps.tokens());
  const std::span<const float> p(maps.rows().row(100).data(), tokens);
  const std::span<const float> q(maps.rows().row(2000).data(), tokens);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(diffseg::detail::divergence(p, q));
  state.SetItemsProcessed(state.iterations());
}

/// All pairs of 256 rows. Ceilings: one that a bound settles mostly, and one above all pairs, which
/// then are all computed.
void divergence_all(benchmark::State& state) {
  const auto ceiling = static_cast<double>(state.range(1)) / 10;
  const bench::Matrix<float> rows = bench::coffee_maps().rows().topRows(256);
  std::vector<Index> all(256);
  std::iota(all.begin(), all.end(), Index{0});
  const diffseg::detail::Pooling pooling(bench::coffee_maps().grid());
  Eigen::SparseMatrix<float, Eigen::RowMajor, int> out;
  diffseg::detail::DivergenceScratch<float> scratch;
  const auto search = [&] {
    return diffseg::detail::divergences_below<float>(rows, all, all, pooling, ceiling, "bench", out,
                                                     scratch);
  };
  const Index evaluated = search();
  const std::span<const float> p(rows.row(3).data(), 4096);
  const std::span<const float> q(rows.row(5).data(), 4096);
  const double error =
      std::abs(diffseg::detail::divergence(p, q) - static_cast<double>(out.coeff(3, 5)));
  bench::run(state, error < 2e-4 ? "" : bench::message("differs by ", error), 0, 256 * 256, search);
  state.counters["evaluated"] = static_cast<double>(evaluated) / (256 * 256);
}

BENCHMARK(divergence_pair);
BENCHMARK(divergence_all)
    ->ArgNames({"threads", "ceiling*10"})
    ->ArgsProduct({{1, 2}, {9, 1000}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
