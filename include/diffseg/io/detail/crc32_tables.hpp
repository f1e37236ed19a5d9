// SPDX-License-Identifier: MIT
// CRC-32 by table, on any machine.
#pragma once

#include <array>

#include <diffseg/io/detail/crc32_polynomials.hpp>
#include <diffseg/io/detail/file_bytes.hpp>

namespace diffseg::detail {

/// tables[k][b]: what byte b leaves in the remainder when k zero bytes follow.
constexpr std::array<std::array<std::uint32_t, 256>, 8> crc32_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = times_x(rest);
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

/// CRC-32 of `bytes` behind others of the CRC-32 `before`, eight at a time.
inline std::uint32_t crc32_by_tables(std::span<const std::byte> bytes, std::uint32_t before = 0) {
  static constexpr auto tables = crc32_tables();
  std::uint32_t rest = ~before;
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
