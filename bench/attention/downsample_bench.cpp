// SPDX-License-Identifier: MIT
#include "../support/report.hpp"

namespace {

using bench::Index;

/// Maps to half the sides: the sums of the rows stay.
void downsample_maps(benchmark::State& state) {
  const auto& maps = bench::coffee_maps();
  const diffseg::Downsample stage{{32, 32}};
  static const std::string complaint = [&] {
    const auto sums = stage(maps).rows().rowwise().sum().eval();
    const float worst = (sums.array() - 1).abs().maxCoeff();
    return worst <= 1e-5F ? std::string() : bench::message("rows sum to 1 but for ", worst);
  }();
  diffseg::Maps<float> out;
  bench::run(state, complaint, bench::bytes(maps), 0, [&] { stage(maps, out); });
}

BENCHMARK(downsample_maps)->Apply(bench::threads);

}  // namespace
