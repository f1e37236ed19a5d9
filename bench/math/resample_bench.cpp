// SPDX-License-Identifier: MIT
#include "../support/report.hpp"

namespace {

using bench::Index;

/// Random numbers on a square grid to another; bytes are those written.
void resample(benchmark::State& state) {
  const Index from = state.range(0);
  const Index to = state.range(1);
  const diffseg::detail::Resampler<float> resampler({from, from}, {to, to},
                                                    diffseg::detail::Resampling::mass);
  const Eigen::VectorXf in = Eigen::VectorXf::Random(from * from).cwiseAbs();
  Eigen::VectorXf out(to * to);
  Eigen::VectorXf scratch(resampler.scratch_size());
  resampler.apply(in.data(), nullptr, out.data(), scratch.data());
  const Eigen::Map<const Eigen::VectorXf> sums(resampler.sums().data(), from * from);
  const float told = in.dot(sums);
  if (std::abs(out.sum() - told) > 1e-4F * told) return state.SkipWithError("sums do not hold");
  for ([[maybe_unused]] auto _ : state) {
    resampler.apply(in.data(), nullptr, out.data(), scratch.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * to * to * Index{4});
}

/// A hit in the cache of resamplers.
void resample_cached(benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(diffseg::detail::cached_resampler<float>(
        {32, 32}, {64, 64}, diffseg::detail::Resampling::mass));
  }
}

BENCHMARK(resample)
    ->ArgNames({"from", "to"})
    ->Args({8, 64})
    ->Args({16, 64})
    ->Args({32, 64})
    ->Args({64, 512})
    ->Args({96, 64})
    ->Args({128, 64});
BENCHMARK(resample_cached);

}  // namespace
