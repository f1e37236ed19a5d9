// SPDX-License-Identifier: MIT
// Figures of each label, from the label map alone or with the photo; nothing of size labels x
// pixels.
#pragma once

#include <array>
#include <cstdint>
#include <diffseg/data/image.hpp>
#include <diffseg/data/labels.hpp>
#include <vector>

namespace cli {

/// Where a label lies. A label without pixels has area 0, and nothing else of it means anything.
struct Extent {
  diffseg::Index area = 0;  ///< pixels
  diffseg::Index left = 0;  ///< columns [left, right)
  diffseg::Index top = 0;   ///< rows [top, bottom)
  diffseg::Index right = 0;
  diffseg::Index bottom = 0;
  double x = 0;  ///< centroid; pixel (0, 0) covers 0..1 both ways
  double y = 0;

  [[nodiscard]] diffseg::Index width() const { return right - left; }
  [[nodiscard]] diffseg::Index height() const { return bottom - top; }
};

/// [label]
[[nodiscard]] std::vector<Extent> find_extents(const diffseg::Labels& labels);

/// [label] mean of the photo's encoded red, green and blue, 0..1. Labels of another size are
/// stretched over the photo. Of labels without pixels: zeros.
[[nodiscard]] std::vector<std::array<double, 3>> mean_colours(const diffseg::Labels& labels,
                                                              const diffseg::Image<float>& photo);

/// [label] the labels that share an edge of a pixel with it, ascending.
[[nodiscard]] std::vector<std::vector<std::int32_t>> find_neighbours(const diffseg::Labels& labels);

/// Pixels [x, x + side) x [y, y + side).
struct Square {
  diffseg::Index x = 0;
  diffseg::Index y = 0;
  diffseg::Index side = 0;  ///< 0: the label has no pixel
};

/// [label] the largest square that lies inside it, the first of equals.
[[nodiscard]] std::vector<Square> find_squares(const diffseg::Labels& labels);

/// The labels stretched or shrunk to another size, by position.
[[nodiscard]] diffseg::Labels resized(const diffseg::Labels& labels, diffseg::GridSize size);

}  // namespace cli
