// SPDX-License-Identifier: MIT
// Colour and texture of a photo, cell by cell, smoothed where neighbours look alike.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "diffseg/core/parallel.hpp"

namespace diffseg::detail {

/// sRGB-encoded red, green, blue (0..1) -> CIE L*a*b* (D65, L in 0..100), three planes in place.
template <class Scalar>
void srgb_to_lab(Eigen::Ref<Buffer<Scalar>> red, Eigen::Ref<Buffer<Scalar>> green,
                 Eigen::Ref<Buffer<Scalar>> blue) {
  // IEC 61966-2-1.
  const auto linear = [](auto& plane) {
    const auto curve = ((plane + Scalar(0.055)) / Scalar(1.055)).max(Scalar(1e-6));
    plane =
        (plane <= Scalar(0.04045)).select(plane / Scalar(12.92), (curve.log() * Scalar(2.4)).exp());
  };
  linear(red);
  linear(green);
  linear(blue);
  // CIE 15: f(t) = t^(1/3) above (6/29)^3, else a line; white point of D65.
  const auto f = [](const auto& expression, double white) -> Buffer<Scalar> {
    const Buffer<Scalar> t = (expression / static_cast<Scalar>(white)).max(Scalar(1e-9));
    return (t > Scalar(0.008856451679035631))
        .select((t.log() / Scalar(3)).exp(), t * Scalar(7.787037037037037) + Scalar(16.0 / 116));
  };
  const Buffer<Scalar> x =
      f(red * Scalar(0.4124564) + green * Scalar(0.3575761) + blue * Scalar(0.1804375), 0.95047);
  const Buffer<Scalar> y =
      f(red * Scalar(0.2126729) + green * Scalar(0.7151522) + blue * Scalar(0.0721750), 1.0);
  const Buffer<Scalar> z =
      f(red * Scalar(0.0193339) + green * Scalar(0.1191920) + blue * Scalar(0.9503041), 1.08883);
  red = Scalar(116) * y - Scalar(16);
  green = Scalar(500) * (x - y);
  blue = Scalar(200) * (y - z);
}

constexpr Index feature_count = 10;

/// Adds one Lab pixel row's energies of four orientations of the gradient of L to its cells: the
/// positive and negative parts of (gx^2 - gy^2) / g and 2 gx gy / g.
template <class Scalar>
void add_orientations(const Matrix<Scalar>& lightness, Index y, Index cell, Scalar* const* out) {
  const auto mirrored = [](Index i, Index count) {
    return count == 1 ? 0 : i < 0 ? -i : i >= count ? 2 * count - 2 - i : i;
  };
  const Index width = lightness.cols();
  const Scalar* above = lightness.row(mirrored(y - 1, lightness.rows())).data();
  const Scalar* here = lightness.row(y).data();
  const Scalar* below = lightness.row(mirrored(y + 1, lightness.rows())).data();
  for (Index x = 0; x < width; ++x) {
    const Index left = mirrored(x - 1, width);
    const Index right = mirrored(x + 1, width);
    const Scalar gx =
        (above[right] - above[left] + 2 * (here[right] - here[left]) + below[right] - below[left]) /
        8;
    const Scalar gy =
        (below[left] - above[left] + 2 * (below[x] - above[x]) + below[right] - above[right]) / 8;
    const Scalar length = std::sqrt(gx * gx + gy * gy);
    if (length <= Scalar(1e-12)) continue;
    const Scalar cosine = (gx * gx - gy * gy) / length;
    const Scalar sine = 2 * gx * gy / length;
    Scalar* const straight = cosine > 0 ? out[0] : out[2];
    Scalar* const diagonal = sine > 0 ? out[1] : out[3];
    straight[x / cell] += std::abs(cosine);
    diagonal[x / cell] += std::abs(sine);
  }
}

/// One row of cells: mean and deviation of L, a, b, and the orientation energies.
template <class Scalar>
void describe_row(const Matrix<Scalar>* lab, Index cell_y, Index cell, GridSize grid,
                  Matrix<Scalar>& features) {
  const auto at = [&](Index feature) { return features.row(feature).data() + cell_y * grid.width; };
  Scalar* const orientations[] = {at(6), at(7), at(8), at(9)};
  for (Index feature = 0; feature < feature_count; ++feature) {
    std::fill_n(at(feature), grid.width, Scalar(0));
  }
  for (Index y = cell_y * cell; y < (cell_y + 1) * cell; ++y) {
    add_orientations(lab[0], y, cell, orientations);
  }
  const auto count = static_cast<Scalar>(cell * cell);
  for (Index x = 0; x < grid.width; ++x) {
    for (Index channel = 0; channel < 3; ++channel) {
      const auto block = lab[channel].block(cell_y * cell, x * cell, cell, cell).array();
      const Scalar mean = block.mean();
      at(channel)[x] = mean;
      at(3 + channel)[x] = std::sqrt((block - mean).square().mean());
    }
    for (Scalar* const plane : orientations) plane[x] /= count;
  }
}

/// The mean of the 3 x 3 neighbourhood, cut at the border.
template <class Scalar>
void box_mean(Scalar* plane, GridSize grid) {
  const Buffer<Scalar> source = Eigen::Map<const Buffer<Scalar>>(plane, grid.cells());
  for (Index y = 0; y < grid.height; ++y) {
    for (Index x = 0; x < grid.width; ++x) {
      Scalar sum = 0;
      Index count = 0;
      for (Index v = std::max<Index>(y - 1, 0); v < std::min(y + 2, grid.height); ++v) {
        for (Index u = std::max<Index>(x - 1, 0); u < std::min(x + 2, grid.width); ++u, ++count) {
          sum += source[v * grid.width + u];
        }
      }
      plane[y * grid.width + x] = sum / static_cast<Scalar>(count);
    }
  }
}

/// [10 x grid.cells()] features of a photo given as three Lab planes [H x W] whose sides are `cell`
/// times those of the grid: 0.6 L / 10, a / 10, b / 10 (means), their deviations / 6 and four
/// orientation energies of L / 2; scaled by sqrt(1.6 / max(spread, 0.3)), spread being the root of
/// the summed variances, so that dull and loud photos compare.
template <class Scalar>
[[nodiscard]] Matrix<Scalar> cell_features(const Matrix<Scalar>* lab, Index cell, GridSize grid) {
  Matrix<Scalar> features(feature_count, grid.cells());
  parallel_for(grid.height, [&](Index y) { describe_row(lab, y, cell, grid, features); });
  parallel_for(feature_count - 3, [&](Index i) { box_mean(features.row(3 + i).data(), grid); });
  constexpr double scales[] = {0.06, 0.1, 0.1, 1.0 / 6, 1.0 / 6, 1.0 / 6, 0.5, 0.5, 0.5, 0.5};
  double variance = 0;
  for (Index i = 0; i < feature_count; ++i) {
    auto row = features.row(i).array();
    row *= static_cast<Scalar>(scales[i]);
    variance += static_cast<double>((row - row.mean()).square().mean());
  }
  features *= static_cast<Scalar>(std::sqrt(1.6 / std::max(std::sqrt(variance), 0.3)));
  return features;
}

/// Blurring mean shift over the grid: `steps` times every cell becomes the mean of the (2 radius +
/// 1)^2 cells around it, weighted by exp(-2 |difference|^2); all cells of a step move at once.
template <class Scalar>
void smooth_features(Matrix<Scalar>& features, GridSize grid, Index radius = 3, int steps = 8) {
  using Line = Eigen::Array<Scalar, 1, Eigen::Dynamic>;
  Matrix<Scalar> next(features.rows(), features.cols());
  const auto move_row = [&](Index y) {
    Matrix<Scalar> sums = Matrix<Scalar>::Zero(features.rows(), grid.width);
    Line weights = Line::Zero(grid.width);
    for (Index v = std::max<Index>(y - radius, 0); v < std::min(y + radius + 1, grid.height); ++v) {
      for (Index dx = -radius; dx <= radius; ++dx) {
        const Index begin = std::max<Index>(0, -dx);
        const Index count = std::min(grid.width, grid.width - dx) - begin;
        if (count <= 0) continue;
        const auto here = features.middleCols(y * grid.width + begin, count);
        const auto there = features.middleCols(v * grid.width + begin + dx, count);
        const Line weight = (Scalar(-2) * (here - there).array().square().colwise().sum()).exp();
        weights.segment(begin, count) += weight;
        sums.middleCols(begin, count).array() += there.array().rowwise() * weight;
      }
    }
    next.middleCols(y * grid.width, grid.width) = sums.array().rowwise() / weights;
  };
  for (int step = 0; step < steps; ++step) {
    parallel_for(grid.height, move_row);
    features.swap(next);
  }
}

}  // namespace diffseg::detail
