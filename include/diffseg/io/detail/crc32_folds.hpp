// SPDX-License-Identifier: MIT
// CRC-32 by products without carries, where the processor has them: of a long polynomial only the
// last 128 bytes are kept, with what the bytes before them leave there (Gopal et al., "Fast CRC
// Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009).
#pragma once

#include <diffseg/io/detail/crc32_tables.hpp>

#if defined(__GNUC__) && defined(__x86_64__)

#include <wmmintrin.h>

namespace diffseg::detail {

/// Does this processor multiply without carries? Asked when the program runs, so that nobody must
/// compile for it.
[[nodiscard]] inline bool can_fold_crc32() {
  return __builtin_cpu_supports("pclmul") != 0;
}

/// What takes the 16 bytes of a register as far ahead as Bits bits reach: x^(Bits + 64) and x^Bits
/// for their first and last eight. One x less, since the instruction's product of bits in this
/// order has one more.
template <std::uint64_t Bits>
[[gnu::target("pclmul")]] inline __m128i fold_factors() {
  constexpr std::uint64_t first = std::uint64_t{power_of_x(Bits + 63)} << 32;
  constexpr std::uint64_t last = std::uint64_t{power_of_x(Bits - 1)} << 32;
  return _mm_set_epi64x(static_cast<long long>(last), static_cast<long long>(first));
}

/// `bytes` taken ahead, added to `next`, which stands there.
[[gnu::target("pclmul")]] inline __m128i fold_into(__m128i next, __m128i bytes, __m128i factors) {
  const __m128i first = _mm_clmulepi64_si128(bytes, factors, 0x00);
  const __m128i last = _mm_clmulepi64_si128(bytes, factors, 0x11);
  return _mm_xor_si128(next, _mm_xor_si128(first, last));
}

/// CRC-32 of `bytes` behind others of the CRC-32 `before`; can_fold_crc32() is true.
[[gnu::target("pclmul")]] inline std::uint32_t crc32_by_folds(std::span<const std::byte> bytes,
                                                              std::uint32_t before = 0) {
  constexpr std::size_t registers = 8;  // as many products as the processor has under way
  constexpr std::size_t block = registers * sizeof(__m128i);
  constexpr std::size_t ahead = 2048;  // the caches' own looking ahead ends with every page
  if (bytes.size() < block) return crc32_by_tables(bytes, before);
  const auto* from = reinterpret_cast<const __m128i*>(bytes.data());
  __m128i rest[registers];
  for (std::size_t i = 0; i < registers; ++i) rest[i] = _mm_loadu_si128(from + i);
  rest[0] = _mm_xor_si128(rest[0], _mm_cvtsi32_si128(static_cast<int>(~before)));
  const std::size_t blocks = bytes.size() / block;
  const __m128i block_ahead = fold_factors<8 * block>();
  for (std::size_t k = 1; k < blocks; ++k) {
    from += registers;
    for (std::size_t i = 0; i < registers; i += 4) {
      __builtin_prefetch(reinterpret_cast<const char*>(from + i) + ahead);
    }
    for (std::size_t i = 0; i < registers; ++i) {
      rest[i] = fold_into(_mm_loadu_si128(from + i), rest[i], block_ahead);
    }
  }
  const __m128i one_ahead = fold_factors<128>();
  for (std::size_t i = 1; i < registers; ++i) rest[i] = fold_into(rest[i], rest[i - 1], one_ahead);
  std::array<std::byte, sizeof(__m128i)> left{};
  _mm_storeu_si128(reinterpret_cast<__m128i*>(left.data()), rest[registers - 1]);
  // Without the ones that a checksum begins with: `rest` has them already.
  const std::uint32_t folded = crc32_by_tables(left, 0xffffffffU);
  return crc32_by_tables(bytes.subspan(blocks * block), folded);
}

}  // namespace diffseg::detail

#else

namespace diffseg::detail {

[[nodiscard]] inline bool can_fold_crc32() {
  return false;
}

inline std::uint32_t crc32_by_folds(std::span<const std::byte> bytes, std::uint32_t before = 0) {
  return crc32_by_tables(bytes, before);
}

}  // namespace diffseg::detail

#endif
