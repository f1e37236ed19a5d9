// SPDX-License-Identifier: MIT
// Label maps to measure with, and their regions found plainly.
#pragma once

#include <cstdint>
#include <diffseg/data/labels.hpp>
#include <vector>

namespace bench {

/// Labels of overlapping discs, with single pixels of other labels strewn in: `size` pixels.
inline diffseg::Labels discs(diffseg::GridSize size) {
  using diffseg::Index;
  diffseg::Labels labels{size, {}, {0, 1, 2, 3, 4, 5, 6, 7}};
  unsigned noise = 1;
  for (Index pixel = 0; pixel < size.cells(); ++pixel) {
    const double y = static_cast<double>(pixel / size.width) / static_cast<double>(size.height);
    const double x = static_cast<double>(pixel % size.width) / static_cast<double>(size.width);
    std::int32_t label = 0;
    for (int disc = 1; disc < 8; ++disc) {
      const double dy = y - 0.11 * disc;
      const double dx = x - (disc * 5 % 8) / 8.0;
      if (dy * dy + dx * dx < 0.02 + 0.006 * disc) label = disc;
    }
    noise = noise * 1664525U + 1013904223U;
    if (noise >> 24 == 0) label = static_cast<std::int32_t>(noise >> 8 & 7U);
    labels.values.push_back(label);
  }
  return labels;
}

/// Pixels of every 4-connected region, by flooding, in the order of their first pixels.
inline std::vector<diffseg::Index> region_areas(diffseg::GridSize size,
                                                const std::vector<std::int32_t>& values) {
  using diffseg::Index;
  std::vector<Index> areas, open;
  std::vector<char> seen(values.size(), 0);
  const auto at = [](Index i) { return static_cast<std::size_t>(i); };
  for (Index first = 0; first < size.cells(); ++first) {
    if (seen[at(first)] != 0) continue;
    areas.push_back(0);
    open = {first};
    seen[at(first)] = 1;
    while (!open.empty()) {
      const Index pixel = open.back();
      open.pop_back();
      ++areas.back();
      const auto visit = [&](bool inside, Index next) {
        if (!inside || seen[at(next)] != 0 || values[at(next)] != values[at(pixel)]) return;
        seen[at(next)] = 1;
        open.push_back(next);
      };
      visit(pixel >= size.width, pixel - size.width);
      visit(pixel + size.width < size.cells(), pixel + size.width);
      visit(pixel % size.width > 0, pixel - 1);
      visit((pixel + 1) % size.width > 0, pixel + 1);
    }
  }
  return areas;
}

}  // namespace bench
