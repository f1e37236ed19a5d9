// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/merge/detail/pooling.hpp>

#include "../../support/run.hpp"

namespace {

using bench::Index;

/// The block sums of one map after the other; bytes are those of the maps.
void pooling(benchmark::State& state) {
  const Index side = state.range(0);
  const Index maps = (Index{1} << 20) / (side * side);
  const diffseg::detail::Pooling pooling({side, side});
  const diffseg::Matrix<float> rows = diffseg::Matrix<float>::Random(maps, side * side).cwiseAbs();
  diffseg::Matrix<float> sums(maps, pooling.blocks());
  Eigen::VectorXf line(side);
  const auto pool = [&] {
    for (Index map = 0; map < maps; ++map) {
      pooling.sum(rows.row(map).data(), sums.row(map).data(), line.data());
    }
  };
  pool();
  const Index last = side - 7 * side / 8;  // rows of the last block
  const Eigen::Map<const diffseg::Matrix<float>> map(rows.row(maps - 1).data(), side, side);
  const double expected = map.bottomRightCorner(last, last).cast<double>().sum();
  const auto found = static_cast<double>(sums(maps - 1, pooling.blocks() - 1));
  if (std::abs(found / expected - 1) > 1e-5) return state.SkipWithError("a block's sum is wrong");
  for ([[maybe_unused]] auto _ : state) {
    pool();
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * rows.size() * Index{4});
}

BENCHMARK(pooling)->ArgName("side")->Arg(16)->Arg(64)->Arg(96)->Unit(benchmark::kMicrosecond);

}  // namespace
