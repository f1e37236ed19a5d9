// SPDX-License-Identifier: MIT
#include "../support/report.hpp"

namespace {

/// Bytes are those of the layers: the rate compares with `read_all`.
void aggregate(benchmark::State& state, const bench::Layers& layers, const std::string& complaint) {
  diffseg::Maps<float> maps;
  bench::run(state, complaint, bench::bytes(layers), 0,
             [&] { diffseg::Aggregate{}(layers, maps); });
}

void aggregate_f32(benchmark::State& state) {
  static const std::string complaint = bench::check_maps(bench::coffee_maps());
  aggregate(state, bench::coffee(), complaint);
}

/// Half the bytes; numbers below 6e-8 are lost, so the expected rows hold to f16's 11 bits only.
void aggregate_f16(benchmark::State& state) {
  static const bench::Layers layers = bench::make_coffee<Eigen::half>(8);
  static const std::string complaint = [] {
    const auto& expected = bench::coffee_maps().rows();
    const auto maps = diffseg::Aggregate{}(layers);
    const float worst =
        ((maps.rows() - expected).array() / (expected.array() + 1e-5F)).abs().maxCoeff();
    return worst <= 1e-2F ? std::string() : bench::message("relative error ", worst);
  }();
  aggregate(state, layers, complaint);
}

/// The layers one by one; the same bits as all at once. Bytes are those of the layers.
void aggregator_coffee(benchmark::State& state) {
  const auto& layers = bench::coffee();
  diffseg::AggregateStream<float> aggregator({64, 64});
  diffseg::Maps<float> maps;
  const auto aggregate = [&] {
    for (const auto& layer : layers) aggregator.add(layer);
    maps = aggregator.finish();
  };
  aggregate();
  const bool equal = maps.rows() == bench::coffee_maps().rows();
  bench::run(state, equal ? "" : "maps differ from those of Aggregate", bench::bytes(layers), 0,
             aggregate);
}

void read_all(benchmark::State& state) {
  const auto& layers = bench::coffee();
  bench::run(state, "", bench::bytes(layers), 0,
             [&] { benchmark::DoNotOptimize(bench::read_all(layers)); });
}

BENCHMARK(read_all)->Apply(bench::threads);
BENCHMARK(aggregate_f32)->Apply(bench::threads);
BENCHMARK(aggregate_f16)->Apply(bench::threads);
BENCHMARK(aggregator_coffee)->Apply(bench::threads);

}  // namespace
