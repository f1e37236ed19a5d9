// SPDX-License-Identifier: MIT
// A photo.
#pragma once

#include <utility>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg {

/// A photo: values [height, width, channels], row-major, sRGB-encoded, 0..1.
template <class Scalar = float>
struct Image {
  GridSize size;               ///< pixels
  Index channels = 0;          ///< 1 (grey) or 3 (red, green, blue)
  std::vector<Scalar> values;  ///< size.cells() * channels numbers

  Image() = default;
  /// `numbers` may be none yet, to be filled. Errors: std::invalid_argument for what check()
  /// refuses besides.
  Image(GridSize pixels, Index channel_count, std::vector<Scalar> numbers)
      : size(pixels), channels(channel_count), values(std::move(numbers)) {
    check_extents("Image");
    if (!values.empty()) check("Image");
  }

  /// Refuses a photo without pixels, of other channels, or whose numbers are not as many as its
  /// extents say; looks at no number.
  void check(const char* stage) const {
    check_extents(stage);
    detail::require(static_cast<Index>(values.size()) == size.cells() * channels, stage,
                    ": the photo must hold height * width * channels numbers, got ", values.size(),
                    " for ", size.height, " x ", size.width, " x ", channels);
  }

 private:
  void check_extents(const char* stage) const {
    using detail::require;
    require(size.height >= 1 && size.width >= 1, stage,
            ": the photo must have at least 1 x 1 pixels, got ", size.height, " x ", size.width);
    require(channels == 1 || channels == 3, stage, ": the photo must have 1 or 3 channels, got ",
            channels);
    require(detail::product_fits({size.height, size.width, channels}), stage,
            ": sizes must multiply without overflow, got ", size.height, " x ", size.width, " x ",
            channels);
  }
};

}  // namespace diffseg
