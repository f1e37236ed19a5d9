// SPDX-License-Identifier: MIT
// Labels as polygons along the edges of pixels.
#pragma once

#include <cstdint>
#include <diffseg/data/labels.hpp>
#include <vector>

namespace cli {

/// A corner of pixels: (0, 0) is the upper left one of the photo, x goes right and y down.
struct Point {
  std::int32_t x = 0;
  std::int32_t y = 0;
  [[nodiscard]] bool operator==(const Point&) const = default;
};

/// Corners where the border turns, the last joined to the first. No corner comes twice.
using Ring = std::vector<Point>;

/// A 4-connected region. The region lies to the right of its rings as one sees them; in plain
/// numbers (y taken as up) the outside goes counter-clockwise and holes clockwise. Rings may touch
/// each other in corners, but neither cross nor share an edge.
struct Polygon {
  std::int32_t label = 0;
  Ring outside;
  std::vector<Ring> holes;
};

/// Every region, in the order of their first pixels. Filled in, they are the labels again.
[[nodiscard]] std::vector<Polygon> trace(const diffseg::Labels& labels);

/// The same without holes: a region that has some is cut along the upper end of each, from side to
/// side, into pieces that have none.
[[nodiscard]] std::vector<Polygon> trace_without_holes(const diffseg::Labels& labels);

}  // namespace cli
