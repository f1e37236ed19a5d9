// SPDX-License-Identifier: MIT
#include "../support/report.hpp"

namespace {

using bench::Index;

/// Pixels of the result decide the cost: `pairs` are pixels x proposals.
void assign(benchmark::State& state) {
  const auto& proposals = bench::coffee_proposals();
  const diffseg::Assign stage{{state.range(1), state.range(1)}, diffseg::Assign::Ids::reference};
  bench::EnlargeAll plain(proposals, stage.size);
  const double equal = bench::agreement(stage(proposals).values, plain.run());
  const std::string complaint =
      equal >= 0.9999 ? "" : bench::message("labels agree with enlarging all on ", equal);
  diffseg::Labels out;
  bench::run(state, complaint, stage.size.cells() * Index{4},
             stage.size.cells() * proposals.rows.rows(), [&] { stage(proposals, out); });
}

/// The baseline: all proposals enlarged, then the arg max.
void assign_enlarge_all(benchmark::State& state) {
  const auto& proposals = bench::coffee_proposals();
  bench::EnlargeAll plain(proposals, {512, 512});
  bench::run(state, "", Index{512 * 512 * 4}, Index{512 * 512} * proposals.rows.rows(),
             [&] { plain.run(); });
}

BENCHMARK(assign)
    ->ArgNames({"threads", "side"})
    ->ArgsProduct({{1, 2}, {64, 512, 2048}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(assign_enlarge_all)->Apply(bench::threads);

}  // namespace
