// SPDX-License-Identifier: MIT
// Photos: JPEG, PNG and WebP, by the libraries of these names.
#pragma once

#include <diffseg/data/image.hpp>
#include <filesystem>
#include <span>
#include <string>

#include "photo_rows.hpp"

namespace cli {

/// A JPEG, PNG or WebP as an image [height, width, 1 or 3]: upright by its EXIF orientation,
/// transparency over white, without its colour profile; of more than `most` pixels a smaller one,
/// scaled while it is decoded. diffseg::io_error (`name`: reason; remedy) unless it is whole.
[[nodiscard]] Photo load_photo(std::span<const unsigned char> bytes, const std::string& name,
                               diffseg::Index most = max_pixels);

/// load_photo of a file.
[[nodiscard]] Photo load_photo(const std::filesystem::path& path);

}  // namespace cli
