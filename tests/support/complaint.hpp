// SPDX-License-Identifier: MIT
// What a refusal says.
#pragma once

#include <stdexcept>
#include <string>

#include "support/catch.hpp"

namespace support {

/// The message of the std::invalid_argument that `call` ends with.
template <class Call>
std::string complaint(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

/// Matches a text that holds `part`, with either major version of Catch2.
inline auto Contains(const std::string& part) {
#if __has_include(<catch2/catch_all.hpp>)
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

}  // namespace support
