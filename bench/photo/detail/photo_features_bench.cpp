// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/photo/detail/photo_features.hpp>
#include <string>

#include "../../support/run.hpp"

namespace {

using bench::Index;
using Plane = diffseg::detail::Buffer<float>;
using Features = diffseg::Matrix<float>;

constexpr diffseg::GridSize grid = {64, 64};

Plane wave(Index count, float step) {
  Plane plane(count);
  for (Index i = 0; i < count; ++i)
    plane[i] = 0.5F + 0.49F * std::sin(step * static_cast<float>(i));
  return plane;
}

/// 512 x 512 pixels; known values of CIE 15: white, black, and pure red.
void photo_lab(benchmark::State& state) {
  Plane red = wave(512 * 512, 0.013F), green = wave(512 * 512, 0.021F),
        blue = wave(512 * 512, 0.007F);
  red.head(3) << 1, 0, 1;
  green.head(3) << 1, 0, 0;
  blue.head(3) << 1, 0, 0;
  Plane l = red, a = green, b = blue;
  diffseg::detail::srgb_to_lab<float>(l, a, b);
  const bool right = std::abs(l[0] - 100) < 0.05F && std::abs(a[0]) < 0.05F &&
                     std::abs(l[1]) < 0.05F && std::abs(l[2] - 53.24F) < 0.05F &&
                     std::abs(a[2] - 80.09F) < 0.05F && std::abs(b[2] - 67.2F) < 0.05F;
  if (!right) return state.SkipWithError("colours differ from the published ones");
  for ([[maybe_unused]] auto _ : state) {
    l = red;
    a = green;
    b = blue;
    diffseg::detail::srgb_to_lab<float>(l, a, b);
  }
  state.SetBytesProcessed(state.iterations() * 3 * 512 * 512 * Index{4});
}

/// Cells of 8 x 8 pixels. Means of lightness keep their proportions.
void photo_cell_features(benchmark::State& state) {
  Features lab[3];
  for (int channel = 0; channel < 3; ++channel) {
    lab[channel].resize(512, 512);
    for (Index i = 0; i < lab[channel].size(); ++i) {
      lab[channel].data()[i] = 50 + 40 * std::sin(0.011F * static_cast<float>(channel + 1) *
                                                  static_cast<float>(i % 6007));
    }
  }
  Features features = diffseg::detail::cell_features(lab, 8, grid);
  const auto mean = [&](Index y, Index x) { return lab[0].block(8 * y, 8 * x, 8, 8).mean(); };
  const auto feature = [&](Index y, Index x) { return features(0, y * 64 + x); };
  const float scale = feature(3, 5) / mean(3, 5);
  const float error = std::abs(feature(40, 17) / mean(40, 17) / scale - 1);
  bench::run(state, error < 1e-4F ? "" : "means of lightness are out of proportion",
             3 * 512 * 512 * Index{4}, 0,
             [&] { features = diffseg::detail::cell_features(lab, 8, grid); });
}

/// Five steps over 64 x 64 cells; the first checked at one cell in double.
void photo_smooth(benchmark::State& state) {
  const Features start = Features::Random(10, grid.cells());
  Features features = start;
  diffseg::detail::smooth_features(features, grid, 3, 1);
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(10);
  double weights = 0;
  for (Index y = 17; y <= 23; ++y) {
    for (Index x = 0; x <= 5; ++x) {
      const Eigen::VectorXd other = start.col(y * 64 + x).cast<double>();
      const double weight =
          std::exp(-2 * (start.col(20 * 64 + 2).cast<double>() - other).squaredNorm());
      sum += weight * other;
      weights += weight;
    }
  }
  const double error =
      (features.col(20 * 64 + 2).cast<double>() - sum / weights).cwiseAbs().maxCoeff();
  bench::run(state, error < 1e-5 ? "" : "a smoothed cell differs", 0, 5 * 49 * grid.cells(), [&] {
    features = start;
    diffseg::detail::smooth_features(features, grid);
  });
}

BENCHMARK(photo_lab)->Unit(benchmark::kMillisecond);
BENCHMARK(photo_cell_features)->Apply(bench::threads);
BENCHMARK(photo_smooth)->Apply(bench::threads);

}  // namespace
