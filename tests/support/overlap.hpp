// SPDX-License-Identifier: MIT
// What a coarser grid covers, by definition.
#pragma once

#include <algorithm>
#include <diffseg/core/types.hpp>

namespace support {

/// The part of cell `source` that cell `target` of a line covers; lines of `from` and `to` cells.
inline double overlap(diffseg::Index from, diffseg::Index to, diffseg::Index target,
                      diffseg::Index source) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to);
  const auto begin = static_cast<double>(target) * ratio;
  const auto cell = static_cast<double>(source);
  return std::max(0.0, std::min(begin + ratio, cell + 1) - std::max(begin, cell));
}

/// The area of cell `source` that cell `target` covers, in cells of the source.
inline double area(diffseg::GridSize from, diffseg::GridSize to, diffseg::Index target,
                   diffseg::Index source) {
  return overlap(from.height, to.height, target / to.width, source / from.width) *
         overlap(from.width, to.width, target % to.width, source % from.width);
}

}  // namespace support
