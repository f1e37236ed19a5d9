// SPDX-License-Identifier: MIT
#include <diffseg/labels/detail/border_cells.hpp>

#include "../../support/regions.hpp"
#include "../../support/run.hpp"

namespace {

using bench::Index;
using diffseg::GridSize;

constexpr GridSize size = {512, 512};

void border_cells(benchmark::State& state) {
  const auto labels = bench::discs(size);
  const auto borders = diffseg::detail::border_cells(size, labels.values);
  for (Index pixel = 0; pixel + size.width < size.cells(); ++pixel) {
    const auto value = [&](Index i) { return labels.values[static_cast<std::size_t>(i)]; };
    const bool right = (pixel + 1) % size.width != 0 && value(pixel) != value(pixel + 1);
    const bool expected = right || value(pixel) != value(pixel + size.width);
    if ((borders[static_cast<std::size_t>(pixel)] != 0) != expected) {
      return state.SkipWithError("a border is missing, or there is none");
    }
  }
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(diffseg::detail::border_cells(size, labels.values));
  }
  state.SetBytesProcessed(state.iterations() * size.cells() * Index{4});
}

/// Borders, and the same a pixel further down: near within 1, but for those at the lower edge.
void share_near(benchmark::State& state) {
  const auto labels = bench::discs(size);
  const auto from = diffseg::detail::border_cells(size, labels.values);
  std::vector<char> to(from.size(), 0);
  std::copy(from.begin(), from.end() - size.width, to.begin() + size.width);
  Index all = 0;
  Index below = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    all += from[i];
    below += i + static_cast<std::size_t>(size.width) < from.size() ? from[i] : 0;
  }
  const double share = diffseg::detail::share_near(size, from, to, 1);
  if (share < static_cast<double>(below) / static_cast<double>(all) || share > 1) {
    return state.SkipWithError("borders moved by a pixel are not near");
  }
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(diffseg::detail::share_near(size, from, to, state.range(0)));
  }
  state.SetItemsProcessed(state.iterations() * all);
}

BENCHMARK(border_cells)->Unit(benchmark::kMillisecond);
BENCHMARK(share_near)->ArgName("radius")->Arg(0)->Arg(2)->Arg(5)->Unit(benchmark::kMillisecond);

}  // namespace
