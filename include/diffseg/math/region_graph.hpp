// SPDX-License-Identifier: MIT
// The 4-connected regions of a map of integers, which may be merged.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// Regions of equal value and their shared borders. Regions that touch always have different
/// values. Works on runs of equal pixels in a row, not on pixels.
class RegionGraph {
 public:
  /// `values` [size.cells()], row-major; at most 2^29 of them.
  RegionGraph(GridSize size, std::span<const std::int32_t> values) : size_(size) {
    require(size.cells() <= Index{1} << 29, "RegionGraph: there must be at most 2^29 cells, got ",
            size.cells());
    find_runs(values);
    connect();
    number();
    find_borders();
  }

  /// Regions at the beginning, numbered by their first pixels; merged ones stay as names.
  [[nodiscard]] Index count() const { return static_cast<Index>(areas_.size()); }
  /// The region that `region` is part of now.
  [[nodiscard]] Index find(Index region) { return root(parents_, static_cast<Id>(region)); }
  /// Pixels. Requires find(region) == region, as do the functions below.
  [[nodiscard]] Index area(Index region) const { return areas_[at(region)]; }
  [[nodiscard]] std::int32_t value(Index region) const { return values_[at(region)]; }

  /// Gives region i the value values[i]. Only before the first merge; regions that touch must
  /// differ.
  void set_values(std::vector<std::int32_t> values) { values_ = std::move(values); }

  /// The region with the longest border to this one, the first of equals; -1 for a lonely region.
  [[nodiscard]] Index nearest(Index region) {
    unite_borders(region);
    Index best = -1;
    Id longest = 0;
    for (Id edge = heads_[at(region)]; edge >= 0; edge = edges_[at(edge)].next) {
      const Id length = edges_[at(edge)].length;
      const Id to = edges_[at(edge)].to;
      if (length > longest || (length == longest && to < best)) {
        longest = length;
        best = to;
      }
    }
    return best;
  }

  /// `region` takes the value of nearest(region) and joins all neighbours of that value; what they
  /// are together now, `region` itself if it has no neighbour.
  Index absorb(Index region) {
    const Index other = nearest(region);
    if (other < 0) return region;
    const std::int32_t value = values_[at(other)];
    joined_.clear();
    for (Id edge = heads_[at(region)]; edge >= 0; edge = edges_[at(edge)].next) {
      if (values_[at(edges_[at(edge)].to)] == value) joined_.push_back(edges_[at(edge)].to);
    }
    Id whole = static_cast<Id>(region);
    for (const Id part : joined_) whole = unite(whole, part);
    values_[at(whole)] = value;
    return whole;
  }

  /// out [size.cells()] = the value of each pixel's region, through `ids` [value].
  void write(std::span<const std::int32_t> ids, std::span<std::int32_t> out) {
    for (std::size_t i = 0; i + 1 < begins_.size(); ++i) {
      const std::int32_t value = values_[at(find(regions_[i]))];
      std::fill(out.begin() + begins_[i], out.begin() + begins_[i + 1], ids[at(value)]);
    }
  }

 private:
  using Id = std::int32_t;
  struct Edge {
    Id to;
    Id length;
    Id next;  // in the list of its region, -1: last
  };

  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  static Id root(std::vector<Id>& parents, Id i) {
    while (parents[at(i)] != i) i = parents[at(i)] = parents[at(parents[at(i)])];
    return i;
  }

  void find_runs(std::span<const std::int32_t> values) {
    for (Index y = 0; y < size_.height; ++y) {
      rows_.push_back(begins_.size());
      for (Index i = y * size_.width; i < (y + 1) * size_.width; ++i) {
        if (i != y * size_.width && values[at(i)] == values[at(i - 1)]) continue;
        begins_.push_back(i);
        values_.push_back(values[at(i)]);
      }
    }
    rows_.push_back(begins_.size());
    begins_.push_back(size_.cells());
  }

  /// body(run above, run below, pixels) for all runs that touch between rows y - 1 and y.
  template <class Body>
  void for_touching(Index y, const Body& body) const {
    std::size_t above = rows_[at(y - 1)];
    std::size_t below = rows_[at(y)];
    while (above < rows_[at(y)] && below < rows_[at(y + 1)]) {
      const Index begin = std::max(begins_[above] + size_.width, begins_[below]);
      const Index end = std::min(begins_[above + 1] + size_.width, begins_[below + 1]);
      if (begin < end) body(above, below, end - begin);
      begins_[above + 1] + size_.width == end ? ++above : ++below;
    }
  }

  /// regions_ [runs] = the first run of each run's region.
  void connect() {
    regions_.resize(values_.size());
    std::iota(regions_.begin(), regions_.end(), Id{0});
    for (Index y = 1; y < size_.height; ++y) {
      for_touching(y, [&](std::size_t above, std::size_t below, Index) {
        if (values_[above] != values_[below]) return;
        const Id a = root(regions_, static_cast<Id>(above));
        const Id b = root(regions_, static_cast<Id>(below));
        regions_[at(std::max(a, b))] = std::min(a, b);
      });
    }
  }

  /// Numbers the regions; regions_ and values_ and areas_ follow.
  void number() {
    for (std::size_t i = 0; i < regions_.size(); ++i) {
      // Parents come first, so they have their number already.
      const bool is_first = regions_[i] == static_cast<Id>(i);
      const Id region = is_first ? static_cast<Id>(areas_.size()) : regions_[at(regions_[i])];
      if (is_first) {
        values_[areas_.size()] = values_[i];
        areas_.push_back(0);
      }
      areas_[at(region)] += begins_[i + 1] - begins_[i];
      regions_[i] = region;
    }
    values_.resize(areas_.size());
    parents_.resize(areas_.size());
    std::iota(parents_.begin(), parents_.end(), Id{0});
  }

  void find_borders() {
    heads_.assign(areas_.size(), -1);
    tails_.assign(areas_.size(), -1);
    lengths_.assign(areas_.size(), 0);
    for (Index y = 0; y < size_.height; ++y) {
      for (std::size_t run = rows_[at(y)] + 1; run < rows_[at(y + 1)]; ++run) {
        add_border(regions_[run - 1], regions_[run], 1);
      }
      if (y == 0) continue;
      for_touching(y, [&](std::size_t above, std::size_t below, Index length) {
        add_border(regions_[above], regions_[below], static_cast<Id>(length));
      });
    }
  }

  void add_border(Id a, Id b, Id length) {
    if (a == b) return;
    for (const auto& [from, to] : {std::pair{a, b}, std::pair{b, a}}) {
      // The border of the rows before, continued.
      const Id last = tails_[at(from)];
      if (last >= 0 && edges_[at(last)].to == to) {
        edges_[at(last)].length += length;
        continue;
      }
      edges_.push_back({to, length, -1});
      append(from, static_cast<Id>(edges_.size() - 1), static_cast<Id>(edges_.size() - 1));
    }
  }

  /// The list from `first` to `last` goes behind that of `region`.
  void append(Id region, Id first, Id last) {
    if (first < 0) return;
    if (heads_[at(region)] < 0) {
      heads_[at(region)] = first;
    } else {
      edges_[at(tails_[at(region)])].next = first;
    }
    tails_[at(region)] = last;
  }

  /// Leaves one edge for each region that `region` touches now.
  void unite_borders(Index region) {
    Id edge = heads_[at(region)];
    for (Id i = edge; i >= 0; i = edges_[at(i)].next) {
      edges_[at(i)].to = static_cast<Id>(find(edges_[at(i)].to));
      lengths_[at(edges_[at(i)].to)] += edges_[at(i)].length;
    }
    lengths_[at(region)] = 0;
    heads_[at(region)] = tails_[at(region)] = -1;
    while (edge >= 0) {
      const Id next = edges_[at(edge)].next;
      Id& length = lengths_[at(edges_[at(edge)].to)];
      if (length > 0) {
        edges_[at(edge)].length = length;
        edges_[at(edge)].next = -1;
        append(static_cast<Id>(region), edge, edge);
        length = 0;
      }
      edge = next;
    }
  }

  Id unite(Id a, Id b) {
    if (areas_[at(a)] < areas_[at(b)]) std::swap(a, b);
    parents_[at(b)] = a;
    areas_[at(a)] += areas_[at(b)];
    append(a, heads_[at(b)], tails_[at(b)]);
    return a;
  }

  GridSize size_;
  std::vector<std::size_t> rows_;  // [height + 1] first run of each row
  std::vector<Index> begins_;      // [runs + 1] first pixel of each run
  std::vector<Id> regions_;        // [runs]
  std::vector<std::int32_t> values_;
  std::vector<Index> areas_;
  std::vector<Id> parents_, heads_, tails_;
  std::vector<Id> lengths_;  // scratch, zero between calls
  std::vector<Id> joined_;   // scratch
  std::vector<Edge> edges_;
};

}  // namespace diffseg::detail
