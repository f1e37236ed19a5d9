// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "../png_io.hpp"

namespace cli {

/// The document on one line. File names need not be UTF-8: what is not becomes U+FFFD.
[[nodiscard]] inline Bytes json_bytes(const nlohmann::ordered_json& json) {
  const std::string text =
      json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return {text.begin(), text.end()};
}

}  // namespace cli
