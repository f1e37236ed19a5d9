// SPDX-License-Identifier: MIT
#pragma once

#include <diffseg/data/image.hpp>
#include <diffseg/data/labels.hpp>
#include <vector>

#include "png_io.hpp"

namespace cli {

/// `count` colours of which neighbours in the list are easy to tell apart.
[[nodiscard]] std::vector<Colour> make_palette(diffseg::Index count);

/// The photo [height, width, 3] tinted by label colours, with a bright line inside a dark one along
/// the borders. Labels of another size are stretched over the photo.
[[nodiscard]] Bytes draw_overlay(const diffseg::Image<float>& photo, const diffseg::Labels& labels,
                                 const std::vector<Colour>& palette);

}  // namespace cli
