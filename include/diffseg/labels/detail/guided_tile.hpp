// SPDX-License-Identifier: MIT
// The guided filter of one-hot masks, and its arg max, a tile of the photo at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

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

/// A range of indices.
struct Span {
  Index begin = 0;
  Index end = 0;
  /// Of the `count` windows i .. i + width - 1, those that hold one of these indices.
  [[nodiscard]] Span windows(Index width, Index count) const {
    return {std::max<Index>(0, begin - width + 1), std::min(end, count)};
  }
};

/// What the filter depends on beside the photo (He, Sun and Tang, "Guided image filtering", 2010).
/// Sums are those of integers, so they are exact and know no order: the guide comes in steps of 1 /
/// 4096, a mask in 0 and 1, and the filter's slopes and offsets in steps of 1 / unit, towards 0.
/// Only those steps and the products between the sums are rounded.
struct GuidedFilter {
  static constexpr std::int32_t steps = 4096;  ///< of the guide, from black to white

  /// radius 1..16, epsilon 1e-6..1
  GuidedFilter(Index radius, double epsilon) : width(2 * radius + 1), cells(width * width) {
    // A slope is cov / (var + epsilon) with cov^2 <= var / 4, so it is 1 / (4 sqrt(epsilon)) at most.
    const double largest = 1 + 0.25 / std::sqrt(epsilon);
    const double room = std::ldexp(1.0, 30) / (static_cast<double>(cells) * largest);
    unit = static_cast<std::int32_t>(std::ldexp(1.0, std::ilogb(room)));
    const auto count = static_cast<double>(cells);
    floor = static_cast<float>(epsilon * count * count * steps * steps);
  }

  Index width;        ///< of the window
  Index cells;        ///< in it
  std::int32_t unit;  ///< a slope or an offset of 1, a power of two
  float floor;        ///< epsilon in units of a window's variance
};

/// One tile of a photo with a margin of twice the radius around it, mirrored at the photo's edges.
/// All rows of the members are as long as the margin makes them.
class GuidedTile {
 public:
  /// A label that occurs in the tile or its margin, and where.
  struct Present {
    std::int32_t label;
    Index pixels;
    Span rows, columns;
  };

  /// Makes room for tiles of `size` pixels, without their margins.
  void prepare(const GuidedFilter& filter, GridSize size) {
    const Index margin = 2 * (filter.width - 1);
    const Index width = size.width + margin;
    const Index whole = width * (size.height + margin);
    for (IntegerBuffer* plane : {&labels, &guide_, &squares_}) make_room(*plane, whole);
    for (Buffer<float>* plane : {&gain_, &mean_, &best_}) make_room(*plane, whole);
    for (IntegerBuffer* plane : {&sums_, &rest_slope_, &rest_offset_, &winner_}) {
      make_room(*plane, whole);
    }
    for (IntegerBuffer* line : {&ones_, &lights_, &row_ones_, &row_lights_, &slope_, &offset_}) {
      make_room(*line, width);
    }
    for (IntegerBuffer* line : {&slopes_, &offsets_}) make_room(*line, width);
    for (IntegerBuffer* ring : {&slope_ring_, &offset_ring_}) make_room(*ring, width * filter.width);
    make_room(wide_, width);
    present_.reserve(64);
  }

  IntegerBuffer labels;  ///< [rows, columns] of the tile and its margin, to be filled first

  /// Begins a tile of `size` pixels whose labels are filled in; those that it holds.
  const std::vector<Present>& begin(const GuidedFilter& filter, GridSize size) {
    size_ = size;
    stride_ = size.width + 2 * (filter.width - 1);
    rows_ = size.height + 2 * (filter.width - 1);
    present_.clear();
    for (Index y = 0; y < rows_; ++y) find_labels(y);
    return present_;
  }

  /// Row y of the guide from lightness 0..1, [columns].
  void set_guide(Index y, const float* lightness) {
    std::int32_t* guide = guide_.data() + y * stride_;
    for (Index x = 0; x < stride_; ++x) {
      guide[x] = static_cast<std::int32_t>(lightness[x] * GuidedFilter::steps + 0.5F);
    }
  }

  /// The label whose filtered mask is largest, for each pixel: `out` is the tile's first pixel,
  /// `line` the photo's width. Of equals a pixel's own, else the first.
  void run(const GuidedFilter& filter, std::int32_t* out, Index line) {
    describe_windows(filter);
    std::fill_n(best_.data(), size_.cells(), -1e30F);
    std::fill_n(rest_slope_.data(), size_.cells(), 0);
    std::fill_n(rest_offset_.data(), size_.cells(),
                static_cast<std::int32_t>(filter.cells) * filter.unit);
    // All masks add up to 1 and so do all filtered ones: the largest is what the others leave.
    std::size_t last = 0;
    for (std::size_t i = 1; i < present_.size(); ++i) {
      if (present_[i].pixels > present_[last].pixels) last = i;
    }
    for (std::size_t i = 0; i < present_.size(); ++i) {
      if (i != last) filter_label(filter, present_[i]);
    }
    for (Index y = 0; y < size_.height; ++y) {
      compare(filter, y, {0, size_.width}, present_[last].label,
              rest_slope_.data() + y * size_.width, rest_offset_.data() + y * size_.width);
      std::copy_n(winner_.data() + y * size_.width, size_.width, out + y * line);
    }
  }

 private:
  void find_labels(Index y) {
    const std::int32_t* const row = labels.data() + y * stride_;
    for (Index x = 0; x < stride_;) {
      const Index begin = x;
      while (++x < stride_ && row[x] == row[begin]) {
      }
      const auto place =
          std::lower_bound(present_.begin(), present_.end(), row[begin],
                           [](const Present& p, std::int32_t value) { return p.label < value; });
      if (place == present_.end() || place->label != row[begin]) {
        present_.insert(place, {row[begin], x - begin, {y, y + 1}, {begin, x}});
        continue;
      }
      place->pixels += x - begin;
      place->rows.end = y + 1;
      place->columns = {std::min(place->columns.begin, begin), std::max(place->columns.end, x)};
    }
  }

  /// Sums of the guide, its means and what turns a covariance into a slope, for all windows.
  void describe_windows(const GuidedFilter& filter) {
    const Index columns = stride_ - filter.width + 1;
    std::int32_t* const sum = lights_.data();
    std::int32_t* const squares = squares_.data();
    std::fill_n(sum, stride_, 0);
    std::fill_n(squares, stride_, 0);
    const auto add = [&](Index y, std::int32_t sign) {
      const std::int32_t* const guide = guide_.data() + y * stride_;
      for (Index x = 0; x < stride_; ++x) {
        sum[x] += sign * guide[x];
        squares[x] += sign * guide[x] * guide[x];
      }
    };
    for (Index y = 0; y < filter.width - 1; ++y) add(y, 1);
    const auto cells = static_cast<std::int64_t>(filter.cells);
    const float to_mean = 1.0F / static_cast<float>(cells * GuidedFilter::steps);
    const float scale = static_cast<float>(filter.unit) * GuidedFilter::steps;
    for (Index y = 0; y + filter.width <= rows_; ++y) {
      add(y + filter.width - 1, 1);
      std::int32_t* const sums = sums_.data() + y * columns;
      slide(sum, columns, filter.width, sums);
      slide(squares, columns, filter.width, wide_.data());
      for (Index x = 0; x < columns; ++x) {
        const std::int64_t variance = cells * wide_[x] - std::int64_t{sums[x]} * sums[x];
        gain_[y * columns + x] = scale / (static_cast<float>(variance) + filter.floor);
        mean_[y * columns + x] = static_cast<float>(sums[x]) * to_mean;
      }
      add(y, -1);
    }
  }

  /// Adds row y of the mask, and of mask times guide, to the sums of columns.
  void add_mask(Index y, Span columns, std::int32_t label, std::int32_t sign) {
    const std::int32_t* const value = labels.data() + y * stride_;
    const std::int32_t* const guide = guide_.data() + y * stride_;
    std::int32_t* const ones = ones_.data();
    std::int32_t* const lights = lights_.data();
    for (Index x = columns.begin; x < columns.end; ++x) {
      const std::int32_t mask = value[x] == label ? sign : 0;
      ones[x] += mask;
      lights[x] += mask * guide[x];
    }
  }

  /// Slopes and offsets of the windows of row y out of the sums of columns.
  void fit_row(const GuidedFilter& filter, Index y, Span columns) {
    const Index count = columns.end - columns.begin;
    slide(ones_.data() + columns.begin, count, filter.width, row_ones_.data());
    slide(lights_.data() + columns.begin, count, filter.width, row_lights_.data());
    const Index place = y * (stride_ - filter.width + 1) + columns.begin;
    const std::int32_t* const sums = sums_.data() + place;
    const float* const gain = gain_.data() + place;
    const float* const mean = mean_.data() + place;
    const auto cells = static_cast<std::uint32_t>(filter.cells);
    const float share = static_cast<float>(filter.unit) / static_cast<float>(filter.cells);
    for (Index x = 0; x < count; ++x) {
      // The products may leave 32 bits, their difference does not: cells^2 steps / 4 at most.
      const auto covariance = static_cast<std::int32_t>(
          cells * static_cast<std::uint32_t>(row_lights_[x]) -
          static_cast<std::uint32_t>(sums[x]) * static_cast<std::uint32_t>(row_ones_[x]));
      const float slope = static_cast<float>(covariance) * gain[x];
      const float offset = share * static_cast<float>(row_ones_[x]) - slope * mean[x];
      slope_[columns.begin + x] = static_cast<std::int32_t>(slope);
      offset_[columns.begin + x] = static_cast<std::int32_t>(offset);
    }
  }

  /// Where label has pixels, its filtered mask is not 0 within twice the radius: nothing else is
  /// looked at. All windows of a row or column that touch it, then all windows of those.
  void filter_label(const GuidedFilter& filter, const Present& present) {
    const Index width = filter.width;
    const Span rows = present.rows.windows(width, size_.height + width - 1);
    const Span columns = present.columns.windows(width, size_.width + width - 1);
    const Span out_rows = rows.windows(width, size_.height);
    const Span out_columns = columns.windows(width, size_.width);
    const Span summed{columns.begin, columns.end + width - 1};
    std::fill_n(ones_.data(), stride_, 0);
    std::fill_n(lights_.data(), stride_, 0);
    for (IntegerBuffer* line : {&slope_, &offset_, &slopes_, &offsets_}) {
      std::fill_n(line->data(), stride_, 0);
    }
    for (Index y = rows.begin; y < rows.begin + width - 1; ++y) add_mask(y, summed, present.label, 1);
    for (Index y = rows.begin; y < out_rows.end + width - 1; ++y) {
      if (y < rows.end) {
        add_mask(y + width - 1, summed, present.label, 1);
        fit_row(filter, y, columns);
        add_mask(y, summed, present.label, -1);
      }
      add_fit(filter, y, rows, out_columns);
      const Index row = y - width + 1;
      if (row >= 0) give(filter, row, out_columns, present.label);
    }
  }

  /// Row y of slopes and offsets joins the sums of columns, the one a window above leaves them.
  void add_fit(const GuidedFilter& filter, Index y, Span rows, Span columns) {
    const Index count = columns.end - columns.begin;
    const auto turn = [&](const IntegerBuffer& line, IntegerBuffer& ring, IntegerBuffer& sums) {
      std::int32_t* const kept = ring.data() + y % filter.width * stride_;
      std::int32_t* const sum = sums.data();
      if (y >= rows.begin + filter.width) {
        for (Index x = 0; x < count; ++x) sum[x] -= kept[x];
      }
      if (y >= rows.end) return std::fill_n(kept, count, 0), void();
      slide(line.data() + columns.begin, count, filter.width, kept);
      for (Index x = 0; x < count; ++x) sum[x] += kept[x];
    };
    turn(slope_, slope_ring_, slopes_);
    turn(offset_, offset_ring_, offsets_);
  }

  void give(const GuidedFilter& filter, Index row, Span columns, std::int32_t label) {
    compare(filter, row, columns, label, slopes_.data(), offsets_.data());
    std::int32_t* const slope = rest_slope_.data() + row * size_.width + columns.begin;
    std::int32_t* const offset = rest_offset_.data() + row * size_.width + columns.begin;
    for (Index x = 0; x < columns.end - columns.begin; ++x) {
      slope[x] -= slopes_[x];
      offset[x] -= offsets_[x];
    }
  }

  /// A label enters the arg max of a row of pixels with its summed slopes and offsets.
  void compare(const GuidedFilter& filter, Index row, Span columns, std::int32_t label,
               const std::int32_t* slopes, const std::int32_t* offsets) {
    const Index margin = filter.width - 1;
    const Index place = (row + margin) * stride_ + columns.begin + margin;
    const std::int32_t* const guide = guide_.data() + place;
    const std::int32_t* const own = labels.data() + place;
    float* const best = best_.data() + row * size_.width + columns.begin;
    std::int32_t* const winner = winner_.data() + row * size_.width + columns.begin;
    constexpr float step = 1.0F / GuidedFilter::steps;
    for (Index x = 0; x < columns.end - columns.begin; ++x) {
      const float value = static_cast<float>(slopes[x]) * (static_cast<float>(guide[x]) * step) +
                          static_cast<float>(offsets[x]);
      const bool wins = value > best[x] || (value == best[x] && own[x] == label);
      best[x] = wins ? value : best[x];
      winner[x] = wins ? label : winner[x];
    }
  }

  GridSize size_;             // of the tile, without margin
  Index stride_ = 0;          // columns with margin
  Index rows_ = 0;            // rows with margin
  std::vector<Present> present_;
  IntegerBuffer guide_;            // [rows, columns]
  IntegerBuffer sums_;             // [windows] of the guide
  Buffer<float> gain_;        // [windows] covariance -> slope
  Buffer<float> mean_;        // [windows] of the guide, 0..1
  IntegerBuffer squares_;          // [columns] sums of the guide's squares
  Buffer<std::int64_t> wide_; // [columns] their windows
  IntegerBuffer ones_, lights_;    // [columns] sums of the mask, and of mask times guide
  IntegerBuffer row_ones_, row_lights_;      // [columns] their windows
  IntegerBuffer slope_, offset_;             // [columns] of one row of windows
  IntegerBuffer slope_ring_, offset_ring_;   // [window, columns] their sums of a row
  IntegerBuffer slopes_, offsets_;           // [columns] sums over windows of windows
  IntegerBuffer rest_slope_, rest_offset_;   // [tile] what the labels so far leave
  Buffer<float> best_;                  // [tile]
  IntegerBuffer winner_;                     // [tile]
};

}  // namespace diffseg::detail
