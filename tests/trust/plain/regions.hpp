// SPDX-License-Identifier: MIT
// The 4-connected regions of a photo's labels, given away in plain loops over all pixels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <diffseg/core/types.hpp>
#include <utility>
#include <vector>

namespace plain {

using diffseg::GridSize;
using diffseg::Index;
using Values = std::vector<std::int32_t>;

/// Regions by flood fill. A region that others have joined has no first pixel of its own any more:
/// where it is as good as another, no rule says which comes first, and `undecided` is set.
class Regions {
 public:
  Regions(GridSize size, Values values) : size_(size), values_(std::move(values)) {
    merged_.assign(values_.size(), false);
    find();
  }

  /// Regions of fewer than `least` pixels go, smallest first, to the neighbour with the longest
  /// border.
  void absorb_small(double least) {
    while (true) {
      Index best = -1;
      for (Index region = 0; region < count_; ++region) {
        if (static_cast<double>(area_[at(region)]) < least) best = smaller(best, region);
      }
      if (best < 0 || count_ == 1) return;
      give(best);
    }
  }

  /// The labels with the fewest pixels go, region by region, smallest first.
  void absorb_labels(Index most) {
    while (true) {
      std::vector<std::int32_t> labels = values_;
      std::sort(labels.begin(), labels.end());
      labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
      if (static_cast<Index>(labels.size()) <= most) return;
      std::int32_t least = labels.front();
      for (const std::int32_t label : labels) {
        if (pixels(label) < pixels(least)) least = label;
      }
      dissolve(least);
    }
  }

  [[nodiscard]] const Values& values() const { return values_; }
  [[nodiscard]] bool undecided() const { return undecided_; }
  [[nodiscard]] const std::vector<Index>& regions() const { return region_; }

 private:
  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  [[nodiscard]] Index pixels(std::int32_t label) const {
    return std::count(values_.begin(), values_.end(), label);
  }

  /// Numbers the regions by their first pixels; one with a pixel of merged_ is merged.
  void find() {
    region_.assign(values_.size(), -1);
    area_.clear();
    is_merged_.clear();
    count_ = 0;
    for (Index first = 0; first < size_.cells(); ++first) {
      if (region_[at(first)] >= 0) continue;
      area_.push_back(0);
      is_merged_.push_back(false);
      std::vector<Index> open = {first};
      region_[at(first)] = count_;
      while (!open.empty()) {
        const Index cell = open.back();
        open.pop_back();
        ++area_[at(count_)];
        if (merged_[at(cell)]) is_merged_[at(count_)] = true;
        for (const Index next : neighbours(cell)) {
          if (region_[at(next)] >= 0 || values_[at(next)] != values_[at(first)]) continue;
          region_[at(next)] = count_;
          open.push_back(next);
        }
      }
      ++count_;
    }
  }

  [[nodiscard]] std::vector<Index> neighbours(Index cell) const {
    std::vector<Index> list;
    const Index x = cell % size_.width;
    if (cell >= size_.width) list.push_back(cell - size_.width);
    if (x > 0) list.push_back(cell - 1);
    if (x + 1 < size_.width) list.push_back(cell + 1);
    if (cell + size_.width < size_.cells()) list.push_back(cell + size_.width);
    return list;
  }

  /// The smaller of two regions, of equals the first; `best` may be -1.
  Index smaller(Index best, Index region) {
    if (best < 0 || area_[at(region)] < area_[at(best)]) return region;
    return best;
  }

  /// Gives a region to the one with the longest border.
  void give(Index region) {
    for (Index other = 0; other < count_; ++other) {
      const bool tie = other != region && area_[at(other)] == area_[at(region)];
      undecided_ |= tie && (is_merged_[at(other)] || is_merged_[at(region)]);
    }
    std::vector<Index> border(at(count_), 0);
    for (Index cell = 0; cell < size_.cells(); ++cell) {
      if (region_[at(cell)] != region) continue;
      for (const Index next : neighbours(cell)) ++border[at(region_[at(next)])];
    }
    border[at(region)] = 0;
    const auto longest = std::max_element(border.begin(), border.end());
    if (*longest == 0) return;
    const Index taker = longest - border.begin();
    for (Index other = 0; other < count_; ++other) {
      const bool tie = other != taker && border[at(other)] == *longest;
      undecided_ |= tie && (is_merged_[at(other)] || is_merged_[at(taker)]);
    }
    std::int32_t value = 0;
    for (Index cell = 0; cell < size_.cells(); ++cell) {
      if (region_[at(cell)] == taker) value = values_[at(cell)];
    }
    for (Index cell = 0; cell < size_.cells(); ++cell) {
      if (region_[at(cell)] != region) continue;
      values_[at(cell)] = value;
      merged_[at(cell)] = true;
    }
    find();
  }

  void dissolve(std::int32_t label) {
    while (true) {
      Index best = -1;
      for (Index region = 0; region < count_; ++region) {
        const auto cell = std::find(region_.begin(), region_.end(), region) - region_.begin();
        if (values_[at(cell)] == label) best = smaller(best, region);
      }
      if (best < 0) return;
      const Index before = count_;
      give(best);
      if (before == 1) return;
    }
  }

  GridSize size_;
  Values values_;
  std::vector<Index> region_, area_;
  std::vector<bool> is_merged_;
  std::vector<bool> merged_;  // [pixels] that have changed their label
  Index count_ = 0;
  bool undecided_ = false;
};

}  // namespace plain
