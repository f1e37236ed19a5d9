// SPDX-License-Identifier: MIT
// Where the labels of points go so that they cover neither points nor each other.
#pragma once

#include <string>
#include <vector>

#include "svg.hpp"

namespace study {

struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
};

/// A point that wants a label of a size in pixels.
struct Labelled {
  Point at;
  double width = 0, height = 0;
  double radius = 7;  ///< of the marker, with some air
};

/// [points] boxes within `frame`, each near its point; free of others wherever there is room.
[[nodiscard]] std::vector<Box> place_labels(const std::vector<Labelled>& points, const Box& frame);

}  // namespace study
