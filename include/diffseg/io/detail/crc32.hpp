// SPDX-License-Identifier: MIT
// The checksum of zip archives.
#pragma once

#include <array>

#include <diffseg/io/detail/file_bytes.hpp>

namespace diffseg::detail {

/// tables[k][b]: what byte b leaves in the remainder when k zero bytes follow; polynomial
/// 0x04c11db7 with its bits reversed (ISO 3309, the zip format's APPNOTE 4.4.7).
constexpr std::array<std::array<std::uint32_t, 256>, 8> crc32_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ ((rest & 1) != 0 ? 0xedb88320U : 0U);
    tables[0][byte] = rest;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 255];
    }
  }
  return tables;
}

/// CRC-32 of `bytes`, eight at a time.
inline std::uint32_t crc32(std::span<const std::byte> bytes) {
  static constexpr auto tables = crc32_tables();
  std::uint32_t rest = 0xffffffffU;
  std::size_t at = 0;
  for (; bytes.size() - at >= 8; at += 8) {
    const std::uint64_t eight = little_endian<std::uint64_t>(bytes, at) ^ rest;
    rest = 0;
    for (std::size_t k = 0; k < 8; ++k) rest ^= tables[7 - k][eight >> (8 * k) & 255];
  }
  for (; at < bytes.size(); ++at) {
    rest = rest >> 8 ^ tables[0][(rest ^ std::to_integer<std::uint32_t>(bytes[at])) & 255];
  }
  return ~rest;
}

}  // namespace diffseg::detail
