// SPDX-License-Identifier: MIT
// Words out of parts.
#pragma once

#include <sstream>
#include <string>

namespace cli {

/// The parts, written one after the other.
template <class... Parts>
[[nodiscard]] std::string message(const Parts&... parts) {
  std::ostringstream text;
  text.precision(9);
  (text << ... << parts);
  return text.str();
}

}  // namespace cli
