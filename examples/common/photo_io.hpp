// SPDX-License-Identifier: MIT
#pragma once

#include <diffseg/data/image.hpp>
#include <filesystem>
#include <span>
#include <string>

namespace cli {

/// Pixels a photo or a label map may have: what the pipeline holds beside them stays in memory.
inline constexpr diffseg::Index max_pixels = 100'000'000;

/// A JPEG or PNG as an image [height, width, 1 or 3]: upright by its EXIF orientation,
/// transparency composited over white. diffseg::io_error (`name`: reason; remedy) unless it is
/// whole and within max_pixels.
[[nodiscard]] diffseg::Image<float> decode_photo(std::span<const unsigned char> bytes,
                                                 const std::string& name);

/// decode_photo of a file.
[[nodiscard]] diffseg::Image<float> read_photo(const std::filesystem::path& path);

/// The stored image turned the way an EXIF orientation 1..8 asks for.
[[nodiscard]] diffseg::Image<float> upright(diffseg::Image<float> stored, int orientation);

}  // namespace cli
