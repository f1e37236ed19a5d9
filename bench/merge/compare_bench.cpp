// SPDX-License-Identifier: MIT
#include "../support/report.hpp"

namespace {

using bench::Index;

/// Pairs are anchors x maps, whether or not a bound settles them.
void compare(benchmark::State& state, const diffseg::Similarities<float>& expected,
             const std::string& complaint) {
  const diffseg::Compare stage{.ceiling = expected.ceiling};
  const Index anchors = expected.divergences.rows();
  diffseg::Similarities<float> out;
  bench::run(state, complaint, bench::bytes(expected.maps), anchors * expected.maps.tokens(),
             [&] { stage(expected.maps, out); });
  const auto pairs = static_cast<double>(anchors * expected.maps.tokens());
  state.counters["matched"] = static_cast<double>(expected.divergences.nonZeros()) / pairs;
  state.counters["evaluated"] = static_cast<double>(expected.evaluated) / pairs;
}

void compare_coffee(benchmark::State& state) {
  static const std::string complaint = bench::check_similarities(bench::coffee_similarities());
  compare(state, bench::coffee_similarities(), complaint);
}

void compare_photo(benchmark::State& state) {
  static const std::string complaint = bench::check_similarities(bench::photo_similarities());
  compare(state, bench::photo_similarities(), complaint);
}

/// The baseline: all pairs as two matrix products.
void compare_full_products(benchmark::State& state) {
  const auto& similarities = bench::coffee_similarities();
  bench::FullProducts products(similarities.maps, similarities.anchors);
  Eigen::setNbThreads(static_cast<int>(state.range(0)));
  bench::run(state, "", bench::bytes(similarities.maps),
             similarities.divergences.rows() * similarities.maps.tokens(),
             [&] { products.multiply(); });
  Eigen::setNbThreads(0);
}

BENCHMARK(compare_coffee)->Apply(bench::threads);
BENCHMARK(compare_photo)->Apply(bench::threads);
BENCHMARK(compare_full_products)->Apply(bench::threads);

}  // namespace
