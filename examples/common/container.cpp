// SPDX-License-Identifier: MIT
#include "container.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <diffseg/io/crc32.hpp>
#include <string_view>

namespace cli {

namespace {

using Span = std::span<const unsigned char>;

/// `count` bytes at `at` as one number; 0 when they are not all there.
std::uint32_t number(Span bytes, std::size_t at, std::size_t count, bool little_endian = false) {
  if (at > bytes.size() || count > bytes.size() - at) return 0;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    value = value << 8U | bytes[at + (little_endian ? count - 1 - i : i)];
  }
  return value;
}

bool starts_with(Span bytes, std::string_view text) {
  return bytes.size() >= text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin(),
                    [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; });
}

constexpr std::string_view jpeg_signature{"\xff\xd8\xff", 3};
constexpr std::string_view png_signature{"\x89PNG\r\n\x1a\n", 8};
constexpr std::string_view exif_signature{"Exif\0\0", 6};

/// Position of the next marker that has a payload or ends the picture; entropy-coded data, restart
/// markers and padding are passed over.
std::size_t next_marker(Span bytes, std::size_t at) {
  for (; at + 1 < bytes.size(); ++at) {
    const unsigned char code = bytes[at + 1];
    const bool bare = code <= 0x01 || (code >= 0xd0 && code <= 0xd8) || code == 0xff;
    if (bytes[at] == 0xff && !bare) return at;
  }
  return bytes.size();
}

/// True when no Huffman table of a DHT segment has more than 256 codes; stb_image before 2.28
/// trusts the file and writes past its table.
bool huffman_tables_fit(Span payload) {
  while (payload.size() >= 17) {
    std::size_t codes = 0;
    for (std::size_t i = 1; i <= 16; ++i) codes += payload[i];
    if (codes > 256 || codes > payload.size() - 17) return false;
    payload = payload.subspan(17 + codes);
  }
  return payload.empty();
}

Container inspect_jpeg(Span bytes) {
  Container result{.kind = Container::Kind::jpeg};
  for (std::size_t at = next_marker(bytes, 2); at < bytes.size();) {
    const unsigned char code = bytes[at + 1];
    if (code == 0xd9) {
      result.complete = true;
      break;
    }
    const std::size_t length = number(bytes, at + 2, 2);
    if (length < 2 || length > bytes.size() - at - 2) break;
    const Span payload = bytes.subspan(at + 4, length - 2);
    if (code == 0xe1 && starts_with(payload, exif_signature)) {
      result.orientation = exif_orientation(payload.subspan(exif_signature.size()));
    }
    if (code == 0xc4 && !huffman_tables_fit(payload)) result.damaged = true;
    at = next_marker(bytes, at + 2 + length);
  }
  return result;
}

Container inspect_png(Span bytes) {
  Container result{.kind = Container::Kind::png};
  std::size_t at = png_signature.size();
  while (bytes.size() - at >= 12 && !result.complete) {
    const std::size_t length = number(bytes, at, 4);
    if (length > bytes.size() - at - 12) break;
    const Span name_and_data = bytes.subspan(at + 4, length + 4);
    const bool critical = std::isupper(name_and_data[0]) != 0;
    const bool matches =
        diffseg::detail::crc32(std::as_bytes(name_and_data)) == number(bytes, at + 8 + length, 4);
    if (critical && !matches) result.damaged = true;
    if (starts_with(name_and_data, "IEND")) result.complete = true;
    if (starts_with(name_and_data, "eXIf") && matches) {
      result.orientation = exif_orientation(name_and_data.subspan(4));
    }
    at += length + 12;
  }
  return result;
}

}  // namespace

int exif_orientation(Span tiff) {
  const bool little_endian = starts_with(tiff, "II");
  if (!little_endian && !starts_with(tiff, "MM")) return 1;
  const std::size_t directory = number(tiff, 4, 4, little_endian);
  const std::size_t entries = number(tiff, directory, 2, little_endian);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (number(tiff, entry, 2, little_endian) != 0x0112) continue;
    const std::uint32_t value = number(tiff, entry + 8, 2, little_endian);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Container inspect(Span bytes) {
  if (starts_with(bytes, jpeg_signature)) return inspect_jpeg(bytes);
  if (starts_with(bytes, png_signature)) return inspect_png(bytes);
  return {};
}

}  // namespace cli
