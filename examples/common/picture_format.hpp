// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

namespace cli {

/// What a file is by its first bytes: "JPEG", "PNG", "WebP", or another name that goes behind "is",
/// as "a GIF"; empty when they are not known.
[[nodiscard]] std::string_view picture_format(std::span<const unsigned char> bytes);

}  // namespace cli
