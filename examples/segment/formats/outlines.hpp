// SPDX-License-Identifier: MIT
#pragma once

#include "scene.hpp"

namespace cli {

/// [height, width, 3] of the photo with a line along the borders inside each region, in its colour,
/// and its number on a plate that stands in the middle of the largest square inside it.
[[nodiscard]] Bytes draw_outlines(const Scene& scene);

/// The same as a JPEG. std::invalid_argument where there is no photo.
[[nodiscard]] Bytes encode_outlines(const Scene& scene);

}  // namespace cli
