// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/attention/sinks.hpp>
#include <string>
#include <utility>
#include <vector>

#include "../support/inputs.hpp"
#include "../support/run.hpp"

namespace {

using bench::Index;

/// coffee's layer of 32 x 32 cells with a key that gets half of all attention.
diffseg::Layer planted(Index sink) {
  const diffseg::Layer& layer = bench::coffee()[1];
  const auto numbers = bench::numbers(layer);
  std::vector<float> values(numbers.begin(), numbers.end());
  const Index keys = layer.keys.cells();
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = 0.5F * values[i] + (static_cast<Index>(i) % keys == sink ? 0.5F : 0.0F);
  }
  return diffseg::Layer::owning(std::move(values), layer.heads, layer.queries);
}

/// The layer without its sink; bytes are those of two reads.
void leave_out_sinks(benchmark::State& state) {
  constexpr Index sink = 333;
  const diffseg::Layer layer = planted(sink);
  const diffseg::Layer without = diffseg::leave_out_sinks(layer, 0.1);
  std::string complaint = without.heads == 1 ? "" : "no sink was found";
  if (complaint.empty()) {
    const auto values = bench::numbers(without);
    for (Index query = 0; query < without.queries.cells(); ++query) {
      const auto row = values.segment(query * without.keys.cells(), without.keys.cells());
      if (row[sink] != 0 || std::abs(row.sum() - 1) > 1e-4F) complaint = "a row is wrong";
    }
  }
  bench::run(state, complaint, 2 * layer.bytes(), 0,
             [&] { (void)diffseg::leave_out_sinks(layer, 0.1); });
}

BENCHMARK(leave_out_sinks)->Apply(bench::threads);

}  // namespace
