// SPDX-License-Identifier: MIT
#include <diffseg/merge/sampling_grid.hpp>

#include "../support/run.hpp"

namespace {

using bench::Index;
using diffseg::detail::AnchorPlacement;

/// 1, 5, ..., 61 of 64, as published.
bool as_published(const std::vector<Index>& tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto y = static_cast<Index>(i / 16);
    const auto x = static_cast<Index>(i % 16);
    if (tokens[i] != (4 * y + 1) * 64 + 4 * x + 1) return false;
  }
  return tokens.size() == 256;
}

void sampling_grid(benchmark::State& state) {
  const auto make = [] {
    return diffseg::detail::SamplingGrid({64, 64}, {16, 16}, AnchorPlacement::cell_centred);
  };
  if (!as_published(make().tokens())) return state.SkipWithError("anchors sit elsewhere");
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(make());
  state.SetItemsProcessed(state.iterations() * 256);
}

void sampling_grid_cached(benchmark::State& state) {
  const auto get = [] {
    return diffseg::detail::cached_sampling_grid({64, 64}, {16, 16}, AnchorPlacement::published);
  };
  if (!as_published(get()->tokens())) return state.SkipWithError("anchors sit elsewhere");
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(get());
}

BENCHMARK(sampling_grid);
BENCHMARK(sampling_grid_cached);

}  // namespace
