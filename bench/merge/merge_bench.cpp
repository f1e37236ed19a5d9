// SPDX-License-Identifier: MIT
#include "../support/report.hpp"

namespace {

void merge(benchmark::State& state, const diffseg::Similarities<float>& similarities,
           const diffseg::Merge& stage, const std::string& complaint) {
  diffseg::Proposals<float> out;
  bench::run(state, complaint, bench::bytes(similarities.maps), 0,
             [&] { stage(similarities, out); });
  state.counters["proposals"] = static_cast<double>(out.rows.rows());
}

void merge_coffee(benchmark::State& state) {
  static const std::string complaint = bench::check_proposals(bench::coffee_proposals());
  merge(state, bench::coffee_similarities(), {}, complaint);
}

void merge_photo(benchmark::State& state) {
  static const std::string complaint = [] {
    const auto proposals = diffseg::Merge{{1.3, 1.3, 1.3}}(bench::photo_similarities());
    const float worst = (proposals.rows.rowwise().sum().array() - 1).abs().maxCoeff();
    return worst <= 1e-5F ? std::string() : bench::message("rows sum to 1 but for ", worst);
  }();
  merge(state, bench::photo_similarities(), {{1.3, 1.3, 1.3}}, complaint);
}

BENCHMARK(merge_coffee)->Apply(bench::threads);
BENCHMARK(merge_photo)->Apply(bench::threads);

}  // namespace
