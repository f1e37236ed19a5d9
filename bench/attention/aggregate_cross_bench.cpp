// SPDX-License-Identifier: MIT
#include <diffseg/attention/aggregate_cross.hpp>

#include "../support/cross.hpp"
#include "../support/run.hpp"

namespace {

using bench::Index;

/// Four of 77 tokens, or all, at 512 x 512 pixels; bytes are those written.
void aggregate_cross(benchmark::State& state) {
  const auto& layers = bench::coffee_cross();
  diffseg::AggregateCross stage;
  if (state.range(1) < 77) stage.tokens = {2, 5, 6, 9};
  auto maps = stage(layers);
  double worst = 0;
  for (const auto& [y, x] : {std::pair<Index, Index>{0, 0}, {100, 321}, {511, 7}}) {
    const Eigen::VectorXd expected = bench::cross_pixel(layers, stage.size, y, x);
    for (std::size_t i = 0; i < maps.tokens.size(); ++i) {
      const auto got = static_cast<double>(maps.values(static_cast<Index>(i), y * 512 + x));
      worst = std::max(worst, std::abs(got - expected[maps.tokens[i]]));
    }
  }
  bench::run(state, worst < 1e-5 ? "" : "a pixel differs from its plain sum",
             maps.values.size() * Index{4}, 0, [&] { stage(layers, maps); });
}

BENCHMARK(aggregate_cross)
    ->ArgNames({"threads", "tokens"})
    ->ArgsProduct({{1, 2}, {4, 77}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
