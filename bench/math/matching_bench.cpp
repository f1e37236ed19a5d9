// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/math/matching.hpp>

#include "../support/run.hpp"

namespace {

using bench::Index;

/// Classes against predictions: scores a_i + b_j, less something but along a hidden matching,
/// which so is the best one.
void match_rows(benchmark::State& state) {
  const Index rows = state.range(0);
  const Index columns = state.range(1);
  diffseg::Matrix<double> scores(rows, columns);
  double best = 0;
  for (Index i = 0; i < rows; ++i) {
    const Index partner = (7 * i + 3) % columns;  // 7 and the columns have no common divisor
    const auto own = static_cast<double>(i * i % 37);
    for (Index j = 0; j < columns; ++j) {
      const double less = j == partner ? 0 : 1 + static_cast<double>((i * 31 + j * 17) % 53);
      scores(i, j) = own + (columns == rows ? static_cast<double>(j % 11) : 0) - less;
    }
    best += scores(i, partner);
  }
  const double found = diffseg::detail::match_rows(scores).total;
  if (std::abs(found - best) > 1e-9) return state.SkipWithError("the matching is not the best");
  for ([[maybe_unused]] auto _ : state)
    benchmark::DoNotOptimize(diffseg::detail::match_rows(scores));
  state.counters["pairs"] = benchmark::Counter(static_cast<double>(rows * columns),
                                               benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(match_rows)
    ->ArgNames({"rows", "columns"})
    ->Args({27, 27})
    ->Args({27, 200})
    ->Args({200, 200})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
