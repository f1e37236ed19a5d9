// SPDX-License-Identifier: MIT
// What is written for photos that are large.
#pragma once

#include <diffseg/data/labels.hpp>
#include <string>

#include "options.hpp"
#include "photo_rows.hpp"

namespace cli {

/// Pixels that the labels of a photo may have which was scaled down while it was read.
inline constexpr diffseg::Index most_label_pixels = 250'000'000;

/// `labels` with the size of the photo in its file, where that is what they are to have.
[[nodiscard]] diffseg::Labels at_full_size(diffseg::Labels labels, const Photo& photo,
                                           diffseg::Index most = most_label_pixels);

/// That the photo was scaled down, and the size of its labels; empty where it was not.
[[nodiscard]] std::string scaling_note(const Photo& photo, diffseg::GridSize labels);

/// The end of the overlay's name, as ".overlay.png"; empty: none is written. std::invalid_argument
/// for a JPEG that cannot be as large.
[[nodiscard]] std::string overlay_suffix(OverlayKind kind, diffseg::GridSize photo);

}  // namespace cli
