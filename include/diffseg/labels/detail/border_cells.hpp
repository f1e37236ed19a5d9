// SPDX-License-Identifier: MIT
// The borders between the regions of a map of integers, and how near they lie to others.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// [size.cells()] 1 for the cells whose right or lower neighbour has another value, else 0.
/// `values` [size.cells()], row-major. Where `known` [size.cells()] is negative for either of the
/// two cells there is no border; empty: all are known.
[[nodiscard]] inline std::vector<char> border_cells(GridSize size,
                                                    std::span<const std::int32_t> values,
                                                    std::span<const std::int32_t> known = {}) {
  std::vector<char> result(values.size(), 0);
  const auto differ = [&](std::size_t i, std::size_t j) {
    return values[i] != values[j] && (known.empty() || (known[i] >= 0 && known[j] >= 0));
  };
  const auto width = static_cast<std::size_t>(size.width);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool right = (i + 1) % width != 0 && differ(i, i + 1);
    const bool below = i + width < values.size() && differ(i, i + width);
    result[i] = right || below ? 1 : 0;
  }
  return result;
}

/// Share of the cells of `from` that have one of `to` within `radius` (Euclidean, >= 0), 0..1;
/// both [size.cells()], 0 or 1. Without cells in `from`: 1 if `to` has none either, else 0.
[[nodiscard]] inline double share_near(GridSize size, std::span<const char> from,
                                       std::span<const char> to, Index radius) {
  require(radius >= 0, "share_near: radius must be >= 0, got ", radius);
  const auto is_near = [&](Index cell) {
    const Index y = cell / size.width;
    const Index x = cell % size.width;
    const Index right = std::min(size.width - 1, x + radius);
    for (Index v = std::max<Index>(0, y - radius); v <= std::min(size.height - 1, y + radius);
         ++v) {
      for (Index u = std::max<Index>(0, x - radius); u <= right; ++u) {
        const bool within = (v - y) * (v - y) + (u - x) * (u - x) <= radius * radius;
        if (within && to[static_cast<std::size_t>(v * size.width + u)] != 0) return true;
      }
    }
    return false;
  };
  double all = 0;
  double found = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] == 0) continue;
    ++all;
    found += is_near(static_cast<Index>(i)) ? 1 : 0;
  }
  if (all > 0) return found / all;
  return std::all_of(to.begin(), to.end(), [](char cell) { return cell == 0; }) ? 1 : 0;
}

}  // namespace diffseg::detail
