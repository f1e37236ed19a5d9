// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "photo_rows.hpp"

namespace cli {

/// The JPEG in `bytes`, scaled down while it is decoded where it has more than `most` pixels.
/// diffseg::io_error (reason; remedy) unless all of it is there and known.
[[nodiscard]] Photo decode_jpeg(std::span<const unsigned char> bytes, diffseg::Index most);

}  // namespace cli
