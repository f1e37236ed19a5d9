// SPDX-License-Identifier: MIT
#include "../support/report.hpp"

namespace {

/// Twelve thresholds up to the ceiling.
diffseg::Sweep twelve(double ceiling) {
  diffseg::Sweep sweep;
  for (int i = 1; i <= 12; ++i) sweep.thresholds.push_back(ceiling * i / 12);
  return sweep;
}

/// The last point against Merge itself; what segments tell never more than what cells tell.
std::string check(const diffseg::Similarities<float>& similarities) {
  const double tau = similarities.ceiling;
  const auto points = twelve(tau)(similarities);
  const auto proposals = diffseg::Merge{{tau, tau, tau}}(similarities);
  const auto labels = diffseg::Assign{.size = similarities.maps.grid()}(proposals);
  if (points.back().segments != labels.count()) {
    return bench::message("expected ", labels.count(), " segments, got ", points.back().segments);
  }
  for (const diffseg::SweepPoint& point : points) {
    if (!(point.information >= 0 && point.information <= 1)) {
      return bench::message("information must be in 0..1, got ", point.information);
    }
  }
  return "";
}

void sweep(benchmark::State& state, const diffseg::Similarities<float>& similarities,
           const std::string& complaint) {
  diffseg::Workspace workspace;
  const diffseg::Sweep stage = twelve(similarities.ceiling);
  bench::run(state, complaint, 0, 0, [&] { (void)stage(similarities, workspace); });
}

void sweep_coffee(benchmark::State& state) {
  static const std::string complaint = check(bench::coffee_similarities());
  sweep(state, bench::coffee_similarities(), complaint);
}

void sweep_photo(benchmark::State& state) {
  static const std::string complaint = check(bench::photo_similarities());
  sweep(state, bench::photo_similarities(), complaint);
}

BENCHMARK(sweep_coffee)->Apply(bench::threads);
BENCHMARK(sweep_photo)->Apply(bench::threads);

}  // namespace
