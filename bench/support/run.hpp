// SPDX-License-Identifier: MIT
// How every benchmark of this folder is run.
#pragma once

#include <benchmark/benchmark.h>

#include <diffseg/core/parallel.hpp>
#include <diffseg/core/types.hpp>
#include <string>

namespace bench {

using diffseg::GridSize;
using diffseg::Index;

/// One and two threads, wall time.
inline void threads(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
}

/// Times body() under the benchmark's number of threads, unless `complaint` says that its result
/// is wrong. bytes and pairs: what one call goes through, 0 when that says nothing.
template <class Body>
void run(benchmark::State& state, const std::string& complaint, Index bytes, Index pairs,
         const Body& body) {
  if (!complaint.empty()) return state.SkipWithError(complaint.c_str());
  const diffseg::ThreadLimit limit(static_cast<int>(state.range(0)));
  for ([[maybe_unused]] auto _ : state) body();
  if (bytes > 0) state.SetBytesProcessed(state.iterations() * bytes);
  if (pairs > 0) {
    state.counters["pairs"] = benchmark::Counter(static_cast<double>(pairs),
                                                 benchmark::Counter::kIsIterationInvariantRate);
  }
}

}  // namespace bench
