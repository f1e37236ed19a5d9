// SPDX-License-Identifier: MIT
// JSON that strangers wrote.
#pragma once

#include <algorithm>
#include <diffseg/io/error.hpp>
#include <nlohmann/json.hpp>
#include <span>

namespace cli {

/// Lists and objects within one another: copies and texts of a value go as deep on the stack.
inline constexpr int deepest_json = 30;

/// The JSON in `bytes`. Throws what nlohmann's parser does, and diffseg::io_error for what is
/// nested too deep or goes on behind a zero, which that parser takes for the end.
template <class Json = nlohmann::json>
[[nodiscard]] Json parse_json(std::span<const unsigned char> bytes) {
  using Event = typename Json::parse_event_t;
  if (std::find(bytes.begin(), bytes.end(), 0) != bytes.end())
    throw diffseg::io_error("it holds a zero byte");
  const auto check = [](int depth, Event event, Json&) {
    if (depth >= deepest_json && (event == Event::array_start || event == Event::object_start))
      throw diffseg::io_error("it is nested too deep");
    return true;
  };
  return Json::parse(bytes.begin(), bytes.end(), check);
}

}  // namespace cli
