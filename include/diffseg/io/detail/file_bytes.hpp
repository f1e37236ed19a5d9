// SPDX-License-Identifier: MIT
// A file's bytes with the name they go by in messages, and how readers refuse them.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <diffseg/core/check.hpp>
#include <diffseg/io/error.hpp>

namespace diffseg {

/// All bytes of a file, or of one packed in another.
struct FileBytes {
  std::string name;                   ///< for messages
  std::span<const std::byte> bytes;   ///< aligned as memory or the mapping happens to be
  std::shared_ptr<const void> owner;  ///< keeps `bytes` alive; none: readers copy what they return
};

namespace detail {

/// Throws an Error "NAME: parts..." unless `condition` holds; parts: field, reason; remedy. What a
/// file says reaches the message without control characters, which could cut it or drive a
/// terminal.
template <class Error = io_error, class... Parts>
void require_io(bool condition, const std::string& name, const Parts&... parts) {
  if (condition) return;
  std::string text = message(name, ": ", parts...);
  for (char& letter : text) {
    if (static_cast<unsigned char>(letter) < 32 || letter == 127) letter = '?';
  }
  throw Error(text);
}

inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The unsigned number that begins at byte `at`, lowest byte first; all of it is within `bytes`.
template <std::unsigned_integral Number>
Number little_endian(std::span<const std::byte> bytes, std::size_t at) {
  Number value = 0;
  for (std::size_t i = sizeof(Number); i-- > 0;) {
    value = static_cast<Number>(std::uint64_t{value} << 8 | std::to_integer<Number>(bytes[at + i]));
  }
  return value;
}

/// Refuses what is no format's file.
inline void refuse_placeholder(std::string_view front, const std::string& name) {
  require_io(!front.empty(), name, "file: is empty; save it again");
  require_io(!front.starts_with("version https://git-lfs"), name,
             "file: is a git-lfs pointer, the numbers lie elsewhere; run git lfs pull");
}

}  // namespace detail
}  // namespace diffseg
