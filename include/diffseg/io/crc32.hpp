// SPDX-License-Identifier: MIT
// The checksum of zip archives and PNG chunks (ISO 3309), in pieces on all threads.
#pragma once

#include <algorithm>
#include <vector>

#include <diffseg/core/parallel.hpp>
#include <diffseg/io/detail/crc32_folds.hpp>

namespace diffseg::detail {

/// Bytes that one thread checks at a time; fewer are not worth a second thread.
inline constexpr std::size_t crc32_piece = std::size_t{2} << 20;

/// CRC-32 of bytes of the CRC-32 `first` and, behind them, `second_bytes` others of `second`: the
/// first times x^8 for every byte that follows. Exact.
[[nodiscard]] constexpr std::uint32_t join_crc32(std::uint32_t first, std::uint32_t second,
                                                 std::uint64_t second_bytes) {
  return polynomial_product(first, power_of_x(8 * second_bytes)) ^ second;
}

/// CRC-32 of `bytes` in this thread, the way that suits the processor.
[[nodiscard]] inline std::uint32_t crc32_of_piece(std::span<const std::byte> bytes) {
  return can_fold_crc32() ? crc32_by_folds(bytes) : crc32_by_tables(bytes);
}

/// CRC-32 of `bytes`, the same for any number of threads.
[[nodiscard]] inline std::uint32_t crc32(std::span<const std::byte> bytes) {
  if (bytes.size() <= crc32_piece) return crc32_of_piece(bytes);
  std::vector<std::uint32_t> pieces((bytes.size() - 1) / crc32_piece + 1);
  parallel_for(static_cast<Index>(pieces.size()), [&](Index i) {
    const auto piece = static_cast<std::size_t>(i);
    const auto rest = bytes.subspan(piece * crc32_piece);
    pieces[piece] = crc32_of_piece(rest.first(std::min(rest.size(), crc32_piece)));
  });
  const std::uint32_t last = pieces.back();
  pieces.pop_back();
  constexpr std::uint32_t piece_ahead = power_of_x(8 * crc32_piece);
  std::uint32_t front = 0;
  for (const std::uint32_t piece : pieces) front = polynomial_product(front, piece_ahead) ^ piece;
  return join_crc32(front, last, bytes.size() - pieces.size() * crc32_piece);
}

}  // namespace diffseg::detail
