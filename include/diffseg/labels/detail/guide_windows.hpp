// SPDX-License-Identifier: MIT
// What guided filters of all masks share: the windows of the guide.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "diffseg/core/types.hpp"

namespace diffseg::detail {

using IntegerBuffer = Buffer<std::int32_t>;

/// out [count] = in[i] + .. + in[i + width - 1].
template <class Sum>
void slide(const std::int32_t* in, Index count, Index width, Sum* out) {
  Sum sum = 0;
  for (Index i = 0; i < width - 1; ++i) sum += in[i];
  for (Index i = 0; i < count; ++i) {
    sum += in[i + width - 1];
    out[i] = sum;
    sum -= in[i];
  }
}

/// What the filter depends on beside the photo (He, Sun and Tang, "Guided image filtering", 2010).
/// Sums are those of integers, so they are exact and know no order: the guide comes in steps of
/// 1 / 4096, a mask in 0 and 1, and the filter's slopes and offsets in steps of 1 / unit, cut
/// towards 0. Only slopes, offsets and the products of the sums with the guide are rounded.
struct GuidedFilter {
  static constexpr std::int32_t steps = 4096;  ///< of the guide, from black to white

  /// radius 1..16, epsilon 1e-6..1
  GuidedFilter(Index radius, double epsilon) : width(2 * radius + 1), cells(width * width) {
    // A slope is cov / (var + epsilon) with cov^2 <= var / 4, so it is 1 / (4 sqrt(epsilon)) at
    // most; an offset is that and a mean of the mask.
    const double largest = 1 + 0.25 / std::sqrt(epsilon);
    const double room = std::ldexp(1.0, 30) / (static_cast<double>(cells) * largest);
    unit = static_cast<std::int32_t>(std::ldexp(1.0, std::ilogb(room)));
    const double scale = static_cast<double>(cells) * steps;
    floor = static_cast<float>(epsilon * scale * scale);
  }

  Index width;            ///< of the window
  Index cells;            ///< in it
  std::int32_t unit = 1;  ///< a slope or an offset of 1, a power of two
  float floor = 0;        ///< epsilon in units of a window's variance
};

/// The guide of a tile with a margin of twice the radius around it, and its windows. Windows are
/// numbered by their first rows and columns.
class GuideWindows {
 public:
  /// Makes room for tiles of at most `size` pixels, margins not counted.
  void prepare(const GuidedFilter& filter, GridSize size) {
    const Index margin = 2 * (filter.width - 1);
    const Index whole = (size.height + margin) * (size.width + margin);
    for (IntegerBuffer* plane : {&guide_, &sums_}) make_room(*plane, whole);
    for (Buffer<float>* plane : {&gains_, &means_}) make_room(*plane, whole);
    for (IntegerBuffer* line : {&lights_, &squares_}) make_room(*line, size.width + margin);
    make_room(wide_, size.width + margin);
  }

  /// Begins a tile of `size` pixels, margins not counted.
  void begin(const GuidedFilter& filter, GridSize size) {
    stride_ = size.width + 2 * (filter.width - 1);
    windows_ = {size.height + filter.width - 1, size.width + filter.width - 1};
  }
  /// Columns of the tile with its margins.
  [[nodiscard]] Index stride() const { return stride_; }
  /// Rows and columns of windows.
  [[nodiscard]] GridSize windows() const { return windows_; }

  /// Row y of the guide [stride] from lightness 0..1.
  void set_row(Index y, const float* lightness) {
    std::int32_t* const guide = guide_.data() + y * stride_;
    for (Index x = 0; x < stride_; ++x) {
      const float rounded = lightness[x] * GuidedFilter::steps + 0.5F;
      guide[x] = static_cast<std::int32_t>(rounded);
    }
  }

  /// After all rows: what the functions below tell of them.
  void describe(const GuidedFilter& filter) {
    std::fill_n(lights_.data(), stride_, 0);
    std::fill_n(squares_.data(), stride_, 0);
    for (Index y = 0; y < filter.width - 1; ++y) add(y, 1);
    for (Index y = 0; y < windows_.height; ++y) {
      add(y + filter.width - 1, 1);
      describe_row(filter, y);
      add(y, -1);
    }
  }

  /// Row y of the guide, 0..steps.
  [[nodiscard]] const std::int32_t* guide(Index y) const { return guide_.data() + y * stride_; }
  /// Sums of the guide over a row of windows.
  [[nodiscard]] const std::int32_t* sums(Index y) const {
    return sums_.data() + y * windows_.width;
  }
  /// What makes a covariance, cells sum(mask guide) - sum(mask) sum(guide), a slope in units.
  [[nodiscard]] const float* gains(Index y) const { return gains_.data() + y * windows_.width; }
  /// Means of the guide, 0..1.
  [[nodiscard]] const float* means(Index y) const { return means_.data() + y * windows_.width; }

 private:
  /// Adds a row to the sums of columns, or takes it away.
  void add(Index y, std::int32_t sign) {
    const std::int32_t* const row = guide(y);
    std::int32_t* const lights = lights_.data();
    std::int32_t* const squares = squares_.data();
    for (Index x = 0; x < stride_; ++x) {
      lights[x] += sign * row[x];
      squares[x] += sign * row[x] * row[x];
    }
  }

  void describe_row(const GuidedFilter& filter, Index y) {
    std::int32_t* const sums = sums_.data() + y * windows_.width;
    std::int64_t* const squares = wide_.data();
    float* const gains = gains_.data() + y * windows_.width;
    float* const means = means_.data() + y * windows_.width;
    slide(lights_.data(), windows_.width, filter.width, sums);
    slide(squares_.data(), windows_.width, filter.width, squares);
    const std::int64_t cells = filter.cells;
    const float to_mean = 1.0F / static_cast<float>(cells * GuidedFilter::steps);
    const float scale = static_cast<float>(filter.unit) * GuidedFilter::steps;
    for (Index x = 0; x < windows_.width; ++x) {
      const std::int64_t variance = cells * squares[x] - std::int64_t{sums[x]} * sums[x];
      gains[x] = scale / (static_cast<float>(variance) + filter.floor);
      means[x] = static_cast<float>(sums[x]) * to_mean;
    }
  }

  Index stride_ = 0;
  GridSize windows_;
  IntegerBuffer guide_;          // [rows, stride]
  IntegerBuffer sums_;           // [windows]
  Buffer<float> gains_, means_;  // [windows]
  IntegerBuffer lights_;         // [stride] sums of columns of the guide
  IntegerBuffer squares_;        // [stride] and of its squares: 33 * 2^24 fits
  Buffer<std::int64_t> wide_;    // [windows of a row] sums of squares
};

}  // namespace diffseg::detail
