// SPDX-License-Identifier: MIT
#pragma once

#include <diffseg/data/labels.hpp>

#include "files.hpp"

namespace cli {

/// Pixels that a side of a JPEG may have.
inline constexpr diffseg::Index longest_jpeg_side = 65500;

/// A JPEG of `pixels` [height, width, 3], quality 90; std::invalid_argument for longer sides.
[[nodiscard]] Bytes encode_colour_jpeg(diffseg::GridSize size, const Bytes& pixels);

}  // namespace cli
