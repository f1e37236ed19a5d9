// SPDX-License-Identifier: MIT
// Affinity: a photo -> attention layers, without any model.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/data/image.hpp"
#include "diffseg/data/layer.hpp"
#include "diffseg/math/resample.hpp"
#include "diffseg/photo/detail/photo_features.hpp"

namespace diffseg {

/// A photo of any size -> self-attention layers on four grids (full, 1/2, 1/4, 1/8 of the sides),
/// one head each: softmax over -|x_i - x_j|^2 / 2 of smoothed colour and texture features and the
/// position. A stand-in for a diffusion model's attention, so that real photos can go through
/// every later stage; it knows nothing of objects. The grid follows the photo's aspect; nothing is
/// cropped. Errors: std::invalid_argument for an empty photo, channels other than 1 or 3, numbers
/// that are NaN, infinite or outside 0..1 and a number of cells outside its range.
struct Affinity {
  using Stage = void;  ///< it may begin or follow a chain

  Index cells = 4096;  ///< about the cells of the finest grid, 64..65536; sides multiples of 8

  /// Layers that own their attention.
  template <class Scalar>
  [[nodiscard]] Layers operator()(const Image<Scalar>& photo) const {
    Layers layers;
    (*this)(photo, layers);
    return layers;
  }

  /// The same into `layers`, f32 for Image<float>, f64 for Image<double>; they stay as they were
  /// after an exception.
  template <class Scalar>
  void operator()(const Image<Scalar>& photo, Layers& layers) const;

  /// The finest grid for a photo: sides multiples of 8, the aspect of the photo, about `cells`.
  /// Errors: std::invalid_argument for a photo without pixels and `cells` outside its range.
  [[nodiscard]] GridSize grid_for(GridSize photo) const {
    check_cells();
    detail::require(photo.height >= 1 && photo.width >= 1,
                    "Affinity: the photo must have at least 1 x 1 pixels, got ", photo.height,
                    " x ", photo.width);
    const double coarse = static_cast<double>(cells) / 64;
    const double aspect = static_cast<double>(photo.width) / static_cast<double>(photo.height);
    GridSize best{1, 1};
    double least = 1e300;
    for (Index height = 1; static_cast<double>(height) <= std::max(coarse, 1.0); ++height) {
      const auto y = static_cast<double>(height);
      for (const double ideal : {y * aspect, coarse / y}) {
        const double x = std::clamp(std::round(ideal), 1.0, std::max(1.0, std::floor(coarse)));
        const double cost =
            std::abs(std::log(x / y / aspect)) + std::abs(std::log(x * y / coarse)) / 2;
        if (cost >= least) continue;
        least = cost;
        best = {height, static_cast<Index>(x)};
      }
    }
    return {8 * best.height, 8 * best.width};
  }

 private:
  static constexpr Index cell = 8;  // pixels of the working canvas per side of a cell

  void check_cells() const {
    detail::require(cells >= 64 && cells <= 65536, "Affinity: cells must be in 64..65536, got ",
                    cells);
  }

  template <class Scalar>
  void check(const Image<Scalar>& photo) const {
    check_cells();
    photo.check("Affinity");
    for (const Scalar value : photo.values) {
      detail::require(detail::is_finite(value) && value >= Scalar(0) && value <= Scalar(1),
                      "Affinity: the photo's numbers must be in 0..1, got ", value);
    }
  }

  /// The photo at the size of the canvas, as planes of L, a and b.
  template <class Scalar>
  static std::array<Matrix<Scalar>, 3> lab_canvas(const Image<Scalar>& photo, GridSize canvas) {
    std::array<Matrix<Scalar>, 3> planes;
    for (auto& plane : planes) plane.resize(canvas.height, canvas.width);
    const detail::AxisResampler<Scalar> rows(photo.size.height, canvas.height,
                                             detail::Resampling::mean);
    const detail::AxisResampler<Scalar> columns(photo.size.width, canvas.width,
                                                detail::Resampling::mean);
    const Index line = photo.size.width * photo.channels;
    const auto resample_row = [&](Index y, detail::Buffer<Scalar>& total) {
      detail::combine_rows<Scalar>(photo.values.data() + rows.first(y) * line, line,
                                   rows.weights(y), rows.taps(), nullptr, total.data(), line);
      for (Index x = 0; x < canvas.width; ++x) {
        for (Index channel = 0; channel < 3; ++channel) {
          const Scalar* in = total.data() + columns.first(x) * photo.channels +
                             std::min(channel, photo.channels - 1);
          Scalar sum = 0;
          for (Index k = 0; k < columns.taps(); ++k) {
            sum = detail::multiply_add(columns.weights(x)[k], in[k * photo.channels], sum);
          }
          planes[static_cast<std::size_t>(channel)](y, x) = sum;
        }
      }
      const auto plane = [&](std::size_t channel) {
        return Eigen::Map<detail::Buffer<Scalar>>(planes[channel].row(y).data(), canvas.width);
      };
      detail::srgb_to_lab<Scalar>(plane(0), plane(1), plane(2));
    };
    detail::parallel_for(
        canvas.height, [&] { return detail::Buffer<Scalar>(line); }, resample_row);
    return planes;
  }

  /// One layer: features averaged over factor x factor cells, the softmax of all pairs.
  template <class Scalar>
  static Layer attention(const Matrix<Scalar>& features, GridSize fine, Index factor) {
    const GridSize grid{fine.height / factor, fine.width / factor};
    const Matrix<Scalar> points = embed(features, fine, grid);
    const Index tokens = grid.cells();
    std::vector<Scalar> values(static_cast<std::size_t>(tokens * tokens));
    using Line = Eigen::Array<Scalar, 1, Eigen::Dynamic>;
    // A row of its own: how Eigen cuts a sum into packets depends on the alignment of the numbers.
    const auto soften = [&](Index token, Line& row) {
      row.setZero();
      for (Index i = 0; i < points.rows(); ++i) {
        row += (points.row(i).array() - points(i, token)).square();
      }
      // The token itself has the largest logit, 0: nothing to subtract.
      row = (row * Scalar(-0.5)).exp();
      row = (row / row.sum()).max(Scalar(1e-12));
      Eigen::Map<Line>(values.data() + token * tokens, tokens) = row / row.sum();
    };
    detail::parallel_for(
        tokens, [&] { return Line(tokens); }, soften);
    return Layer::owning(std::move(values), 1, grid);
  }

  /// [12 x cells]: 1.8 times the features' block means, then y / 0.35 and x / 0.35, positions in
  /// units of the root of the grid's area (0..1 on a square).
  template <class Scalar>
  static Matrix<Scalar> embed(const Matrix<Scalar>& features, GridSize fine, GridSize grid) {
    Matrix<Scalar> points(features.rows() + 2, grid.cells());
    const detail::Resampler<Scalar> mean(fine, grid, detail::Resampling::mean);
    for (Index i = 0; i < features.rows(); ++i) {
      mean.apply(features.row(i).data(), points.row(i).data());
    }
    points.topRows(features.rows()) *= Scalar(1.8);
    const double unit = 0.35 * std::sqrt(static_cast<double>(grid.cells()));
    for (Index token = 0; token < grid.cells(); ++token) {
      const Index y = token / grid.width;
      const Index x = token % grid.width;
      points(features.rows(), token) = static_cast<Scalar>((static_cast<double>(y) + 0.5) / unit);
      points(features.rows() + 1, token) =
          static_cast<Scalar>((static_cast<double>(x) + 0.5) / unit);
    }
    return points;
  }
};

template <class Scalar>
void Affinity::operator()(const Image<Scalar>& photo, Layers& layers) const {
  check(photo);
  detail::ProfileScope scope("Affinity");
  const GridSize grid = grid_for(photo.size);
  const auto lab = lab_canvas(photo, {grid.height * cell, grid.width * cell});
  Matrix<Scalar> features = detail::cell_features(lab.data(), cell, grid);
  detail::smooth_features(features, grid);
  Layers result;
  for (Index factor = 1; factor <= 8; factor *= 2) {
    result.push_back(attention(features, grid, factor));
    scope.add_bytes(result.back().bytes());
  }
  layers.swap(result);
}

}  // namespace diffseg
