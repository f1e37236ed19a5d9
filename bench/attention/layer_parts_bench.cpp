// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/attention/detail/refusals.hpp>
#include <diffseg/attention/layer_parts.hpp>
#include <limits>
#include <stdexcept>
#include <vector>

#include "../support/run.hpp"

namespace {

using bench::Index;

constexpr Index heads = 8, tokens = 4096, depth = 40;

/// The last key is looked at, and parts of layers lie where the whole one has them.
std::string check(diffseg::Layer layer, std::vector<float>& keys) {
  const float kept = std::exchange(keys.back(), std::numeric_limits<float>::infinity());
  bool refused = false;
  try {
    diffseg::detail::refuse_invalid_products({&layer, 0, "bench"});
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  keys.back() = kept;
  return refused ? "" : "an infinite key was not refused";
}

/// Queries and keys of 4096 tokens looked through for numbers that are none, as Aggregate does.
void attention_products_checked(benchmark::State& state) {
  std::vector<float> queries(heads * tokens * depth), keys(queries.size());
  for (std::size_t i = 0; i < queries.size(); ++i) {
    queries[i] = std::sin(0.37F * static_cast<float>(i % 9973));
    keys[i] = std::cos(0.53F * static_cast<float>(i % 9967));
  }
  const auto layer =
      diffseg::Layer::queries_and_keys(queries.data(), keys.data(), heads, depth, {64, 64});
  bench::run(state, check(layer, keys), layer.bytes(), 0, [&] {
    diffseg::detail::refuse_invalid_products({&layer, 0, "bench"});
  });
}

/// What a layer costs before any number is read: its checks, its conditional half, its tokens.
void attention_views(benchmark::State& state) {
  std::vector<float> numbers(2 * 17 * 17);
  const auto layer = diffseg::Layer::view(numbers.data(), 2, {1, 17});
  const auto view = [&] {
    layer.check("bench", 0);
    return diffseg::select_tokens(diffseg::conditional_half(layer), 1, {4, 4});
  };
  const float* const expected = numbers.data() + 17 * 17 + 17 + 1;
  if (view().data != expected) return state.SkipWithError("a part lies elsewhere");
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(view());
}

BENCHMARK(attention_products_checked)->Apply(bench::threads);
BENCHMARK(attention_views);

}  // namespace
