// SPDX-License-Identifier: MIT
// What text tokens get of each pixel.
#pragma once

#include <vector>

#include "diffseg/core/types.hpp"

namespace diffseg {

/// Cross-attention by pixel: how much of it each of some text tokens gets.
template <class Scalar = float>
struct CrossMaps {
  GridSize size;              ///< pixels
  std::vector<Index> tokens;  ///< [C] token column behind each row of `values`, ascending
  Matrix<Scalar> values;      ///< [C x size.cells()], >= 0
};

}  // namespace diffseg
