// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <diffseg/data/labels.hpp>
#include <vector>

#include "files.hpp"

namespace cli {

using Colour = std::array<unsigned char, 3>;

/// A PNG whose pixels are the label ids: 8-bit palette indices shown in the colours of `palette`
/// (entry = id) up to 256 labels, 16-bit grey beyond.
[[nodiscard]] Bytes encode_label_png(const diffseg::Labels& labels,
                                     const std::vector<Colour>& palette);

/// An 8-bit colour PNG of `pixels` [height, width, 3].
[[nodiscard]] Bytes encode_colour_png(diffseg::GridSize size, const Bytes& pixels);

}  // namespace cli
