// SPDX-License-Identifier: MIT
#include "support/memory.hpp"
#include "support/report.hpp"

namespace {

using bench::Index;

const diffseg::SegmentOptions reference = {.assign = {.ids = diffseg::Assign::Ids::reference}};

const std::string& complaint() {
  static const std::string text = bench::check_labels(diffseg::segment(bench::coffee(), reference));
  return text;
}

/// Attention to labels, as most callers write it: every result in new memory.
void segment_coffee(benchmark::State& state) {
  const auto& layers = bench::coffee();
  bench::run(state, complaint(), bench::bytes(layers), 0,
             [&] { benchmark::DoNotOptimize(diffseg::segment(layers, reference)); });
  const auto maps = static_cast<double>(4096 * 4096 * sizeof(float));
  state.counters["peak/maps"] =
      bench::peak_bytes([&] { benchmark::DoNotOptimize(diffseg::segment(layers, reference)); }) /
      maps;
}

/// The second image: all results in the memory of the first.
void segment_coffee_reused(benchmark::State& state) {
  const auto& layers = bench::coffee();
  diffseg::Segmentation<float> out;
  diffseg::segment(layers, reference, out);
  bench::run(state, complaint(), bench::bytes(layers), 0,
             [&] { diffseg::segment(layers, reference, out); });
}

/// A threshold that moves: Merge and Assign again, the similarities kept.
void segment_coffee_threshold(benchmark::State& state) {
  const auto& similarities = bench::coffee_similarities();
  diffseg::Proposals<float> proposals;
  diffseg::Labels labels;
  diffseg::Workspace workspace;
  bench::run(state, complaint(), 0, 0, [&] {
    diffseg::Merge{}(similarities, proposals, workspace);
    reference.assign(proposals, labels, workspace);
  });
}

void segment_photo(benchmark::State& state) {
  const auto& layers = bench::photo();
  const diffseg::SegmentOptions options = {.merge = {{1.3, 1.3, 1.3}}};
  static const Index labels = diffseg::segment(layers, options).count();
  bench::run(state, labels > 1 ? "" : "found nothing in the photo", bench::bytes(layers), 0,
             [&] { benchmark::DoNotOptimize(diffseg::segment(layers, options)); });
}

/// One layer of one head; time over tokens. Anchors: one in 16 tokens at most, and 256.
void segment_tokens(benchmark::State& state) {
  const Index side = state.range(1);
  const bench::Layers layers =
      diffseg::Downsample{{side, side}}(bench::Layers{bench::photo().front()});
  const Index anchors = std::min<Index>(16, side / 2);
  const diffseg::SegmentOptions options = {.compare = {.anchors = {anchors, anchors}},
                                           .merge = {{1.3, 1.3, 1.3}}};
  diffseg::Segmentation<float> out;
  diffseg::segment(layers, options, out);
  bench::run(state, out.labels.count() > 1 ? "" : "found nothing", bench::bytes(layers), 0,
             [&] { diffseg::segment(layers, options, out); });
}

BENCHMARK(segment_coffee)->Apply(bench::threads);
BENCHMARK(segment_coffee_reused)->Apply(bench::threads);
BENCHMARK(segment_coffee_threshold)->Apply(bench::threads);
BENCHMARK(segment_photo)->Apply(bench::threads);
BENCHMARK(segment_tokens)
    ->ArgNames({"threads", "side"})
    ->ArgsProduct({{1, 2}, {16, 32, 64}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
