// SPDX-License-Identifier: MIT
#include "../support/report.hpp"

namespace {

using bench::Index;

/// All layers of a photo; pairs of cells and bytes written.
void affinity(benchmark::State& state) {
  static const auto photo = bench::synthetic_photo({512, 512});
  const diffseg::Affinity stage{.cells = state.range(1)};
  const diffseg::Layers layers = stage(photo);
  std::string complaint;
  Index pairs = 0;
  for (const auto& layer : layers) {
    const Index tokens = layer.queries.cells();
    const auto values = bench::numbers(layer);
    const float sum = values.head(tokens).sum();
    if (std::abs(sum - 1) > 1e-4F) complaint = bench::message("the first row sums to ", sum);
    pairs += tokens * tokens;
  }
  diffseg::Layers out;
  bench::run(state, complaint, bench::bytes(layers), pairs, [&] { stage(photo, out); });
}

BENCHMARK(affinity)
    ->ArgNames({"threads", "cells"})
    ->ArgsProduct({{1, 2}, {1024, 4096}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
