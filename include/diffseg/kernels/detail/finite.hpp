// SPDX-License-Identifier: MIT
// The question for NaN and infinities, asked of many numbers at once.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "diffseg/core/types.hpp"

namespace diffseg {

/// True when none of `count` values is NaN or infinite, by their bits; unlike asking one by one,
/// as fast as reading.
template <class Scalar>
[[nodiscard]] bool all_finite(const Scalar* values, Index count) {
  using Bits = std::conditional_t<sizeof(Scalar) == 8, std::uint64_t, std::uint32_t>;
  constexpr Bits exponent =
      sizeof(Scalar) == 8 ? static_cast<Bits>(0x7ff0000000000000U) : static_cast<Bits>(0x7f800000U);
  Bits bad = 0;
  for (Index i = 0; i < count; ++i) {
    const Bits bits = std::bit_cast<Bits>(values[i]) & exponent;
    bad |= bits == exponent ? Bits{1} : Bits{0};
  }
  return bad == 0;
}

}  // namespace diffseg
