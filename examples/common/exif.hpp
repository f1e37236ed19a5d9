// SPDX-License-Identifier: MIT
// Which way up a photo is.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace cli {

/// Orientation 1..8 of an EXIF record, with or without "Exif\0\0" in front; none when it tells none
/// or nonsense.
[[nodiscard]] std::optional<int> exif_orientation(std::span<const unsigned char> record);

/// True for what a JPEG's APP1 segment of this kind begins with.
[[nodiscard]] bool is_exif(std::span<const unsigned char> record);

/// The bytes of a PNG's text chunk "Raw profile type NAME": a name and a length in lines of their
/// own, then hexadecimal digits. Empty when it is not that.
[[nodiscard]] std::vector<unsigned char> raw_profile(std::string_view text);

}  // namespace cli
