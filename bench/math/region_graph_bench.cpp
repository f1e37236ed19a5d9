// SPDX-License-Identifier: MIT
#include <diffseg/math/region_graph.hpp>

#include "../support/regions.hpp"
#include "../support/run.hpp"

namespace {

using bench::Index;

/// Regions and borders of a label map, as flooding finds them.
void region_graph(benchmark::State& state) {
  const Index side = state.range(0);
  const auto labels = bench::discs({side, side});
  const diffseg::detail::RegionGraph graph(labels.size, labels.values);
  std::vector<Index> areas;
  for (Index region = 0; region < graph.count(); ++region) areas.push_back(graph.area(region));
  if (areas != bench::region_areas(labels.size, labels.values)) {
    return state.SkipWithError("regions differ from those that flooding finds");
  }
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(diffseg::detail::RegionGraph(labels.size, labels.values));
  }
  state.SetBytesProcessed(state.iterations() * side * side * Index{4});
  state.counters["regions"] = static_cast<double>(graph.count());
}

BENCHMARK(region_graph)->ArgName("side")->Arg(512)->Arg(2048)->Unit(benchmark::kMillisecond);

}  // namespace
