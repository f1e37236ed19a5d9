// SPDX-License-Identifier: MIT
// A photo.
#pragma once

#include <vector>

#include "diffseg/core/types.hpp"

namespace diffseg {

/// A photo: values [height, width, channels], row-major, sRGB-encoded, 0..1.
template <class Scalar = float>
struct Image {
  GridSize size;               ///< pixels
  Index channels = 0;          ///< 1 (grey) or 3 (red, green, blue)
  std::vector<Scalar> values;  ///< size.cells() * channels numbers
};

}  // namespace diffseg
