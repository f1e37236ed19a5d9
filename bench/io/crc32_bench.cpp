// SPDX-License-Identifier: MIT
#include <diffseg/io/crc32.hpp>

#include "../support/run.hpp"

namespace {

using Bytes = std::vector<std::byte>;

Bytes some_bytes(std::size_t count) {
  Bytes bytes(count);
  std::uint32_t state = 1;
  for (std::byte& byte : bytes) {
    state = 1664525 * state + 1013904223;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

std::string check(std::uint32_t found, const Bytes& bytes) {
  return found == diffseg::detail::crc32_by_tables(bytes) ? "" : "the checksum is wrong";
}

/// By table, from the cache; the tables themselves must give the published check value.
void crc32_tables(benchmark::State& state) {
  const std::string digits = "123456789";
  const auto known = diffseg::detail::crc32_by_tables(std::as_bytes(std::span(digits)));
  const Bytes bytes = some_bytes(std::size_t{1} << 20);
  bench::run(state, known == 0xcbf43926U ? "" : "the tables are wrong", bench::Index{1} << 20, 0,
             [&] { benchmark::DoNotOptimize(diffseg::detail::crc32_by_tables(bytes)); });
}

/// By products without carries, from the cache.
void crc32_folds(benchmark::State& state) {
  const Bytes bytes = some_bytes(std::size_t{1} << 20);
  if (!diffseg::detail::can_fold_crc32()) return state.SkipWithError("this processor cannot");
  bench::run(state, check(diffseg::detail::crc32_by_folds(bytes), bytes), bench::Index{1} << 20, 0,
             [&] { benchmark::DoNotOptimize(diffseg::detail::crc32_by_folds(bytes)); });
}

/// What no cache holds, in pieces on all threads.
void crc32_pieces(benchmark::State& state) {
  const Bytes bytes = some_bytes(std::size_t{1} << 28);
  bench::run(state, check(diffseg::detail::crc32(bytes), bytes), bench::Index{1} << 28, 0,
             [&] { benchmark::DoNotOptimize(diffseg::detail::crc32(bytes)); });
}

BENCHMARK(crc32_tables)->ArgName("threads")->Arg(1)->Unit(benchmark::kMicrosecond);
BENCHMARK(crc32_folds)->ArgName("threads")->Arg(1)->Unit(benchmark::kMicrosecond);
BENCHMARK(crc32_pieces)->Apply(bench::threads);

}  // namespace
