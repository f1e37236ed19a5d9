// SPDX-License-Identifier: MIT
// Affinity in plain loops: a photo -> attention from colour, texture and position.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "trust/plain/grids.hpp"

namespace plain {

using Plane = diffseg::Matrix<double>;

/// sRGB-encoded red, green, blue -> CIE L*a*b*, D65.
inline std::array<double, 3> lab(const std::array<double, 3>& colour) {
  const auto linear = [](double value) {
    return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
  };
  const auto f = [](double light) {
    const double t = std::max(light, 1e-9);  // as the library has it: black has L = 9e-7
    return t > 216.0 / 24389 ? std::cbrt(t) : t * 24389.0 / 27 / 116 + 16.0 / 116;
  };
  const double r = linear(colour[0]);
  const double g = linear(colour[1]);
  const double b = linear(colour[2]);
  const double x = f((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
  const double y = f(0.2126729 * r + 0.7151522 * g + 0.0721750 * b);
  const double z = f((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

/// [3][height x width] L, a, b of a photo [size, channels] on a canvas.
inline std::array<Plane, 3> lab_canvas(const std::vector<double>& photo, GridSize size,
                                       Index channels, GridSize canvas) {
  const Table rows = mean(size.height, canvas.height);
  const Table columns = mean(size.width, canvas.width);
  std::array<Plane, 3> planes;
  for (Index channel = 0; channel < 3; ++channel) {
    Plane source(size.height, size.width);
    for (Index i = 0; i < size.cells(); ++i) {
      source.data()[i] =
          photo[static_cast<std::size_t>(i * channels + std::min(channel, channels - 1))];
    }
    planes[static_cast<std::size_t>(channel)] = rows * source * columns.transpose();
  }
  for (Index i = 0; i < canvas.cells(); ++i) {
    const auto colour = lab({planes[0].data()[i], planes[1].data()[i], planes[2].data()[i]});
    for (std::size_t channel = 0; channel < 3; ++channel)
      planes[channel].data()[i] = colour[channel];
  }
  return planes;
}

/// The four orientation energies of a pixel's gradient of L.
inline std::array<double, 4> orientations(const Plane& l, Index y, Index x) {
  const auto at = [&](Index v, Index u) {
    const auto mirrored = [](Index i, Index count) {
      if (count == 1) return Index{0};
      return i < 0 ? -i : i >= count ? 2 * count - 2 - i : i;
    };
    return l(mirrored(v, l.rows()), mirrored(u, l.cols()));
  };
  const double gx = (at(y - 1, x + 1) - at(y - 1, x - 1) + 2 * (at(y, x + 1) - at(y, x - 1)) +
                     at(y + 1, x + 1) - at(y + 1, x - 1)) /
                    8;
  const double gy = (at(y + 1, x - 1) - at(y - 1, x - 1) + 2 * (at(y + 1, x) - at(y - 1, x)) +
                     at(y + 1, x + 1) - at(y - 1, x + 1)) /
                    8;
  const double length = std::sqrt(gx * gx + gy * gy);
  if (length <= 1e-12) return {0, 0, 0, 0};
  const double cosine = (gx * gx - gy * gy) / length;
  const double sine = 2 * gx * gy / length;
  return {std::max(cosine, 0.0), std::max(sine, 0.0), std::max(-cosine, 0.0), std::max(-sine, 0.0)};
}

/// The mean of 3 x 3 cells, cut at the border.
inline void box(Plane& features, Index feature, GridSize grid) {
  const Plane source = features.row(feature);
  for (Index y = 0; y < grid.height; ++y) {
    for (Index x = 0; x < grid.width; ++x) {
      double sum = 0;
      double count = 0;
      for (Index v = y - 1; v <= y + 1; ++v) {
        for (Index u = x - 1; u <= x + 1; ++u) {
          if (v < 0 || u < 0 || v >= grid.height || u >= grid.width) continue;
          sum += source(0, v * grid.width + u);
          ++count;
        }
      }
      features(feature, y * grid.width + x) = sum / count;
    }
  }
}

/// [10 x cells] of cells of 8 x 8 pixels.
inline Plane features(const std::array<Plane, 3>& canvas, GridSize grid) {
  constexpr Index side = 8;
  constexpr double scales[] = {0.06, 0.1, 0.1, 1.0 / 6, 1.0 / 6, 1.0 / 6, 0.5, 0.5, 0.5, 0.5};
  Plane out = Plane::Zero(10, grid.cells());
  for (Index cell = 0; cell < grid.cells(); ++cell) {
    for (Index pixel = 0; pixel < side * side; ++pixel) {
      const Index y = cell / grid.width * side + pixel / side;
      const Index x = cell % grid.width * side + pixel % side;
      for (Index c = 0; c < 3; ++c) out(c, cell) += canvas[static_cast<std::size_t>(c)](y, x) / 64;
      const auto energies = orientations(canvas[0], y, x);
      for (Index i = 0; i < 4; ++i) out(6 + i, cell) += energies[static_cast<std::size_t>(i)] / 64;
    }
    for (Index c = 0; c < 3; ++c) {
      double variance = 0;
      for (Index pixel = 0; pixel < side * side; ++pixel) {
        const double value = canvas[static_cast<std::size_t>(c)](
            cell / grid.width * side + pixel / side, cell % grid.width * side + pixel % side);
        variance += (value - out(c, cell)) * (value - out(c, cell)) / 64;
      }
      out(3 + c, cell) = std::sqrt(variance);
    }
  }
  double variance = 0;
  for (Index i = 0; i < 10; ++i) {
    if (i >= 3) box(out, i, grid);
    out.row(i) *= scales[i];
    variance += (out.row(i).array() - out.row(i).mean()).square().mean();
  }
  return out * std::sqrt(1.6 / std::max(std::sqrt(variance), 0.3));
}

/// Eight times every cell becomes the mean of those up to 3 rows and columns away, by likeness.
inline void smooth(Plane& features, GridSize grid) {
  for (int step = 0; step < 8; ++step) {
    const Plane old = features;
    for (Index y = 0; y < grid.height; ++y) {
      for (Index x = 0; x < grid.width; ++x) {
        const Index own = y * grid.width + x;
        features.col(own).setZero();
        double sum = 0;
        for (Index v = std::max<Index>(0, y - 3); v <= std::min(grid.height - 1, y + 3); ++v) {
          for (Index u = std::max<Index>(0, x - 3); u <= std::min(grid.width - 1, x + 3); ++u) {
            const Index other = v * grid.width + u;
            const double weight = std::exp(-2 * (old.col(own) - old.col(other)).squaredNorm());
            features.col(own) += weight * old.col(other);
            sum += weight;
          }
        }
        features.col(own) /= sum;
      }
    }
  }
}

/// Attention between blocks of factor x factor cells, and half the squared distance of each pair.
struct Attention {
  Plane rows, logits;
};

inline Attention attention(const Plane& features, GridSize fine, Index factor) {
  const GridSize grid{fine.height / factor, fine.width / factor};
  const double unit = 0.35 * std::sqrt(static_cast<double>(grid.cells()));
  Plane points = Plane::Zero(12, grid.cells());
  for (Index cell = 0; cell < fine.cells(); ++cell) {
    const Index token = cell / fine.width / factor * grid.width + cell % fine.width / factor;
    points.col(token).topRows(10) +=
        1.8 / static_cast<double>(factor * factor) * features.col(cell);
  }
  for (Index token = 0; token < grid.cells(); ++token) {
    points(10, token) = (static_cast<double>(token / grid.width) + 0.5) / unit;
    points(11, token) = (static_cast<double>(token % grid.width) + 0.5) / unit;
  }
  Attention out{Plane(grid.cells(), grid.cells()), Plane(grid.cells(), grid.cells())};
  for (Index i = 0; i < grid.cells(); ++i) {
    for (Index j = 0; j < grid.cells(); ++j) {
      out.logits(i, j) = (points.col(i) - points.col(j)).squaredNorm() / 2;
    }
    out.rows.row(i) = (-out.logits.row(i).array()).exp();
    out.rows.row(i) /= out.rows.row(i).sum();
    out.rows.row(i) = out.rows.row(i).cwiseMax(1e-12);
    out.rows.row(i) /= out.rows.row(i).sum();
  }
  return out;
}

}  // namespace plain
