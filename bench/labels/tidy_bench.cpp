// SPDX-License-Identifier: MIT
#include <algorithm>
#include <diffseg/labels/tidy.hpp>

#include "../support/regions.hpp"
#include "../support/run.hpp"

namespace {

using bench::Index;

/// Labels strewn with crumbs -> none below one in a hundred; bytes are those of the labels.
void tidy(benchmark::State& state) {
  const Index side = state.range(0);
  const auto labels = bench::discs({side, side});
  const diffseg::Tidy stage{.min_area = 0.01, .split = true};
  diffseg::Labels out = stage(labels);
  const auto areas = bench::region_areas(out.size, out.values);
  if (100 * *std::min_element(areas.begin(), areas.end()) < side * side) {
    return state.SkipWithError("there are crumbs left");
  }
  if (static_cast<Index>(areas.size()) != out.count()) {
    return state.SkipWithError("a label has several regions");
  }
  if (stage(out).values != out.values) return state.SkipWithError("a second pass changes labels");
  for ([[maybe_unused]] auto _ : state) stage(labels, out);
  state.SetBytesProcessed(state.iterations() * side * side * Index{4});
}

BENCHMARK(tidy)->ArgName("side")->Arg(512)->Arg(2048)->Unit(benchmark::kMillisecond);

}  // namespace
