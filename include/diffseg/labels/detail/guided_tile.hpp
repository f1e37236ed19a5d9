// SPDX-License-Identifier: MIT
// The arg max of the guided filters of all labels' masks, a tile of the photo at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "diffseg/labels/detail/guide_windows.hpp"

namespace diffseg::detail {

/// A range of rows or columns.
struct LineRange {
  Index begin = 0;
  Index end = 0;

  /// Of the `count` windows i .. i + width - 1, those that hold something of this range.
  [[nodiscard]] LineRange windows(Index width, Index count) const {
    return {std::max<Index>(0, begin - width + 1), std::min(end, count)};
  }
  [[nodiscard]] Index size() const { return end - begin; }
};

/// A label that occurs in a tile or its margins, and where.
struct PresentLabel {
  std::int32_t label;
  Index pixels;
  LineRange rows, columns;
};

/// A tile with a margin of twice the radius around it: first all windows that hold a pixel are
/// fitted, then a pixel gets the mean of all fits of windows that hold it.
class GuidedTile {
 public:
  GuideWindows guide;    ///< to be filled between find_labels() and run()
  IntegerBuffer labels;  ///< [rows, guide.stride()], to be filled between begin() and find_labels()

  /// Makes room for tiles of at most `size` pixels, margins not counted.
  void prepare(const GuidedFilter& filter, GridSize size) {
    const Index margin = 2 * (filter.width - 1);
    const Index width = size.width + margin;
    guide.prepare(filter, size);
    make_room(labels, width * (size.height + margin));
    make_room(best_, size.cells());
    for (IntegerBuffer* plane : {&rest_slopes_, &rest_offsets_, &winners_}) {
      make_room(*plane, size.cells());
    }
    for (IntegerBuffer* line : {&ones_, &lights_, &row_ones_, &row_lights_, &slopes_, &offsets_,
                                &slope_sums_, &offset_sums_}) {
      make_room(*line, width);
    }
    for (IntegerBuffer* ring : {&slope_ring_, &offset_ring_}) {
      make_room(*ring, size.width * filter.width);
    }
  }

  /// Begins a tile of `size` pixels.
  void begin(const GuidedFilter& filter, GridSize size) {
    size_ = size;
    guide.begin(filter, size);
  }

  /// The labels that the tile and its margins hold, ascending.
  const std::vector<PresentLabel>& find_labels(const GuidedFilter& filter) {
    present_.clear();
    for (Index y = 0; y < size_.height + 2 * (filter.width - 1); ++y) find_labels_of_row(y);
    return present_;
  }

  /// The label whose filtered mask is largest at each pixel, of equals its own, else the first
  /// found. `out` is the tile's first pixel in a photo whose rows are `line` pixels apart.
  void run(const GuidedFilter& filter, std::int32_t* out, Index line) {
    guide.describe(filter);
    std::fill_n(best_.data(), size_.cells(), -1e30F);
    std::fill_n(rest_slopes_.data(), size_.cells(), 0);
    std::fill_n(rest_offsets_.data(), size_.cells(),
                static_cast<std::int32_t>(filter.cells) * filter.unit);
    // The masks add up to 1, so all slopes to 0 and all offsets to 1: the label with the most
    // pixels gets what the others leave.
    const auto last = std::max_element(
        present_.begin(), present_.end(),
        [](const PresentLabel& a, const PresentLabel& b) { return a.pixels < b.pixels; });
    for (auto each = present_.begin(); each != present_.end(); ++each) {
      if (each != last) filter_label(filter, *each);
    }
    for (Index y = 0; y < size_.height; ++y) {
      const Index place = y * size_.width;
      compare(filter, y, {0, size_.width}, last->label, rest_slopes_.data() + place,
              rest_offsets_.data() + place);
      std::copy_n(winners_.data() + place, size_.width, out + y * line);
    }
  }

 private:
  void find_labels_of_row(Index y) {
    const std::int32_t* const row = labels.data() + y * guide.stride();
    for (Index x = 0; x < guide.stride();) {
      const Index begin = x;
      while (++x < guide.stride() && row[x] == row[begin]) {
      }
      const auto place = std::lower_bound(
          present_.begin(), present_.end(), row[begin],
          [](const PresentLabel& present, std::int32_t value) { return present.label < value; });
      if (place == present_.end() || place->label != row[begin]) {
        present_.insert(place, {row[begin], x - begin, {y, y + 1}, {begin, x}});
        continue;
      }
      place->pixels += x - begin;
      place->rows.end = y + 1;
      place->columns = {std::min(place->columns.begin, begin), std::max(place->columns.end, x)};
    }
  }

  /// Only windows that hold a pixel of the label have a fit, and only pixels in one of those a
  /// value.
  void filter_label(const GuidedFilter& filter, const PresentLabel& present) {
    const Index width = filter.width;
    const LineRange rows = present.rows.windows(width, guide.windows().height);
    const LineRange columns = present.columns.windows(width, guide.windows().width);
    const LineRange out_columns = columns.windows(width, size_.width);
    const LineRange summed{columns.begin, columns.end + width - 1};
    for (IntegerBuffer* line :
         {&ones_, &lights_, &slopes_, &offsets_, &slope_sums_, &offset_sums_}) {
      std::fill_n(line->data(), guide.stride(), 0);
    }
    for (Index y = 0; y < width - 1; ++y) add_mask(rows.begin + y, summed, present.label, 1);
    const Index end = rows.windows(width, size_.height).end + width - 1;
    for (Index y = rows.begin; y < end; ++y) {
      if (y < rows.end) {
        add_mask(y + width - 1, summed, present.label, 1);
        fit_row(filter, y, columns);
        add_mask(y, summed, present.label, -1);
      }
      add_fits(filter, y, rows, out_columns);
      if (y >= width - 1) give(filter, y - width + 1, out_columns, present.label);
    }
  }

  /// Adds row y of the mask, and of mask times guide, to the sums of columns, or takes it away.
  void add_mask(Index y, LineRange columns, std::int32_t label, std::int32_t sign) {
    const std::int32_t* const value = labels.data() + y * guide.stride();
    const std::int32_t* const light = guide.guide(y);
    std::int32_t* const ones = ones_.data();
    std::int32_t* const lights = lights_.data();
    for (Index x = columns.begin; x < columns.end; ++x) {
      const std::int32_t mask = value[x] == label ? sign : 0;
      ones[x] += mask;
      lights[x] += mask * light[x];
    }
  }

  /// Slopes and offsets of a row of windows from the sums of columns.
  void fit_row(const GuidedFilter& filter, Index y, LineRange columns) {
    std::int32_t* const ones = row_ones_.data();
    std::int32_t* const lights = row_lights_.data();
    slide(ones_.data() + columns.begin, columns.size(), filter.width, ones);
    slide(lights_.data() + columns.begin, columns.size(), filter.width, lights);
    const std::int32_t* const sums = guide.sums(y) + columns.begin;
    const float* const gains = guide.gains(y) + columns.begin;
    const float* const means = guide.means(y) + columns.begin;
    std::int32_t* const slopes = slopes_.data() + columns.begin;
    std::int32_t* const offsets = offsets_.data() + columns.begin;
    const auto cells = static_cast<std::uint32_t>(filter.cells);
    const float share = static_cast<float>(filter.unit) / static_cast<float>(filter.cells);
    for (Index x = 0; x < columns.size(); ++x) {
      // The products may leave 32 bits, their difference does not: cells^2 steps / 4 at most.
      const auto covariance = static_cast<std::int32_t>(
          cells * static_cast<std::uint32_t>(lights[x]) -
          static_cast<std::uint32_t>(sums[x]) * static_cast<std::uint32_t>(ones[x]));
      const float slope = static_cast<float>(covariance) * gains[x];
      slopes[x] = static_cast<std::int32_t>(slope);
      offsets[x] =
          static_cast<std::int32_t>(share * static_cast<float>(ones[x]) - slope * means[x]);
    }
  }

  /// The fits of row y of windows join the sums over windows, those of the row a window above
  /// leave.
  void add_fits(const GuidedFilter& filter, Index y, LineRange rows, LineRange columns) {
    const auto add = [&](const IntegerBuffer& fits, IntegerBuffer& ring, IntegerBuffer& sums) {
      std::int32_t* const kept = ring.data() + y % filter.width * size_.width;
      std::int32_t* const sum = sums.data();
      if (y >= rows.begin + filter.width) {
        for (Index x = 0; x < columns.size(); ++x) sum[x] -= kept[x];
      }
      if (y < rows.end) {
        slide(fits.data() + columns.begin, columns.size(), filter.width, kept);
        for (Index x = 0; x < columns.size(); ++x) sum[x] += kept[x];
      } else {
        std::fill_n(kept, columns.size(), 0);
      }
    };
    add(slopes_, slope_ring_, slope_sums_);
    add(offsets_, offset_ring_, offset_sums_);
  }

  /// A label takes part at a row of pixels; the last one gets less by as much.
  void give(const GuidedFilter& filter, Index row, LineRange columns, std::int32_t label) {
    const std::int32_t* const slopes = slope_sums_.data();
    const std::int32_t* const offsets = offset_sums_.data();
    compare(filter, row, columns, label, slopes, offsets);
    const Index place = row * size_.width + columns.begin;
    std::int32_t* const rest_slopes = rest_slopes_.data() + place;
    std::int32_t* const rest_offsets = rest_offsets_.data() + place;
    for (Index x = 0; x < columns.size(); ++x) {
      rest_slopes[x] -= slopes[x];
      rest_offsets[x] -= offsets[x];
    }
  }

  void compare(const GuidedFilter& filter, Index row, LineRange columns, std::int32_t label,
               const std::int32_t* slopes, const std::int32_t* offsets) {
    const Index margin = filter.width - 1;
    const Index inner = (row + margin) * guide.stride() + columns.begin + margin;
    const std::int32_t* const own = labels.data() + inner;
    const std::int32_t* const light = guide.guide(0) + inner;
    float* const best = best_.data() + row * size_.width + columns.begin;
    std::int32_t* const winners = winners_.data() + row * size_.width + columns.begin;
    constexpr float step = 1.0F / GuidedFilter::steps;
    for (Index x = 0; x < columns.size(); ++x) {
      const float value = static_cast<float>(slopes[x]) * (static_cast<float>(light[x]) * step) +
                          static_cast<float>(offsets[x]);
      const bool wins = value > best[x] || (value == best[x] && own[x] == label);
      best[x] = wins ? value : best[x];
      winners[x] = wins ? label : winners[x];
    }
  }

  GridSize size_;  // of the tile
  std::vector<PresentLabel> present_;
  IntegerBuffer ones_, lights_;               // [columns] sums of the mask, of mask times guide
  IntegerBuffer row_ones_, row_lights_;       // [windows of a row]
  IntegerBuffer slopes_, offsets_;            // [windows of a row] fits
  IntegerBuffer slope_ring_, offset_ring_;    // [window, columns] sums of fits of a row
  IntegerBuffer slope_sums_, offset_sums_;    // [columns] sums of all fits that hold a pixel
  IntegerBuffer rest_slopes_, rest_offsets_;  // [tile] what the labels so far leave to the last
  Buffer<float> best_;                        // [tile]
  IntegerBuffer winners_;                     // [tile]
};

}  // namespace diffseg::detail
