// SPDX-License-Identifier: MIT
// What text tokens get of each pixel.
#pragma once

#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg {

/// Cross-attention by pixel: how much of it each of some text tokens gets.
template <class Scalar = float>
struct CrossMaps {
  GridSize size;              ///< pixels
  std::vector<Index> tokens;  ///< [C] token column behind each row of `values`, ascending
  Matrix<Scalar> values;      ///< [C x size.cells()], >= 0

  /// Refuses values that are not [C x pixels]. Looks at no number.
  void check(const char* stage) const {
    detail::require(detail::product_fits({size.height, size.width}) &&
                        values.rows() == static_cast<Index>(tokens.size()) &&
                        (tokens.empty() || values.cols() == size.cells()),
                    stage, ": maps must have one row per token and one column per pixel, got ",
                    values.rows(), " x ", values.cols(), " for ", tokens.size(), " tokens and ",
                    size.height, " x ", size.width, " pixels");
  }
};

}  // namespace diffseg
