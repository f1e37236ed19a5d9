// SPDX-License-Identifier: MIT
// segment() over tokens, heads, layers, anchors and threads, results reused: time, bytes/s of the
// attention, pairs/s of anchors and maps.
#include <map>
#include <tuple>

#include "support/plain.hpp"
#include "support/report.hpp"
#include "support/scaled.hpp"

namespace {

using bench::Index;
using bench::Shape;

diffseg::SegmentOptions options_for(Index anchors) {
  return {.compare = {.anchors = {anchors, anchors}},
          .merge = {{1.3, 1.3, 1.3}},
          .assign = {.ids = diffseg::Assign::Ids::reference}};
}

/// Up to 1024 tokens against the plain reference in double; beyond, rows must sum to 1 and one
/// thread must give the same labels as all.
std::string check(const Shape& shape, Index anchors) {
  const auto& layers = bench::scaled_attention(shape);
  const auto options = options_for(anchors);
  diffseg::Segmentation<float> out;
  diffseg::segment(layers, options, out);
  if (shape.side <= 32) {
    const auto maps = bench::plain::aggregate(layers, shape.side);
    const auto proposals = bench::plain::merge(maps, shape.side, anchors, options.merge.thresholds);
    const auto expected = bench::plain::assign(proposals, shape.side, 512);
    const double equal = bench::agreement(out.labels.values, expected);
    return equal >= 0.9999 ? "" : bench::message("labels agree with plain ones on ", equal);
  }
  const auto error = [](const diffseg::Matrix<float>& rows) {
    return (rows.rowwise().sum().array() - 1).abs().maxCoeff();
  };
  const float worst = std::max(error(out.maps.rows()), error(out.proposals.rows));
  if (!(worst <= 1e-5F)) return bench::message("rows sum to 1 but for ", worst);
  const auto labels = out.labels.values;
  const diffseg::ThreadLimit limit(1);
  diffseg::segment(layers, options, out);
  return labels == out.labels.values ? "" : "one thread gives other labels";
}

/// Asked once for each shape, however often the benchmark is called.
const std::string& complaint(const Shape& shape, Index anchors) {
  static std::map<std::tuple<Index, Index, Index, Index>, std::string> known;
  const auto key = std::tuple(shape.side, shape.heads, shape.layers, anchors);
  const auto found = known.find(key);
  return found != known.end() ? found->second
                              : known.emplace(key, check(shape, anchors)).first->second;
}

void scaling(benchmark::State& state) {
  const Shape shape{state.range(1), state.range(2), state.range(3)};
  const Index anchors = state.range(4);
  const std::string& wrong = complaint(shape, anchors);
  const auto& layers = bench::scaled_attention(shape);
  const auto options = options_for(anchors);
  diffseg::Segmentation<float> out;
  bench::run(state, wrong, bench::bytes(layers), anchors * anchors * shape.side * shape.side,
             [&] { diffseg::segment(layers, options, out); });
  state.counters["proposals"] = static_cast<double>(out.proposals.rows.rows());
}

using Values = std::vector<int64_t>;

/// One series: threads 1 and 2 each time, so that attention is made once.
void series(benchmark::internal::Benchmark* benchmark, const Values& sides, const Values& heads,
            const Values& layers, const Values& anchors) {
  benchmark->ArgNames({"threads", "side", "heads", "layers", "anchors"})
      ->ArgsProduct({{1, 2}, sides, heads, layers, anchors})
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

void over_tokens(benchmark::internal::Benchmark* benchmark) {
  series(benchmark, {16, 32, 64, 128}, {1}, {1}, {16});
}
void over_heads(benchmark::internal::Benchmark* benchmark) {
  series(benchmark, {32, 64}, {1, 2, 4, 8, 16}, {1}, {16});
}
void over_layers(benchmark::internal::Benchmark* benchmark) {
  series(benchmark, {32, 64}, {2}, {1, 2, 3, 4}, {16});
}
void over_anchors(benchmark::internal::Benchmark* benchmark) {
  series(benchmark, {32, 64}, {1}, {4}, {8, 16, 24, 32});
}

BENCHMARK(scaling)->Name("scaling_tokens")->Apply(over_tokens);
BENCHMARK(scaling)->Name("scaling_heads")->Apply(over_heads);
BENCHMARK(scaling)->Name("scaling_layers")->Apply(over_layers);
BENCHMARK(scaling)->Name("scaling_anchors")->Apply(over_anchors);

}  // namespace
