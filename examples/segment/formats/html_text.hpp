// SPDX-License-Identifier: MIT
// Words and bytes inside a page.
#pragma once

#include <string>
#include <string_view>

#include "../png_io.hpp"

namespace cli {

/// The text as it may stand between tags and in quotes.
[[nodiscard]] std::string html_escaped(std::string_view text);

/// The bytes as characters, for data: addresses.
[[nodiscard]] std::string base64(const Bytes& bytes);

}  // namespace cli
