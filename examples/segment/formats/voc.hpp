// SPDX-License-Identifier: MIT
// Palette PNGs in the colours of Pascal VOC.
#pragma once

#include "scene.hpp"

namespace cli {

/// VOC's first `count` colours: the bits of an index, spread over the high bits of red, green,
/// blue.
[[nodiscard]] std::vector<Colour> voc_palette(diffseg::Index count);

/// A PNG whose palette indices are the label ids; std::invalid_argument for more than 255 labels,
/// as 255 means void there.
[[nodiscard]] Bytes encode_voc(const Scene& scene);

}  // namespace cli
