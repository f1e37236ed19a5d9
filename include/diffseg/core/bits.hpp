// SPDX-License-Identifier: MIT
// Numbers by their bits, which -ffast-math leaves alone.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "diffseg/core/types.hpp"

namespace diffseg::detail {

template <class Element>
using BitsOf =
    std::conditional_t<sizeof(Element) == 8, std::uint64_t,
                       std::conditional_t<sizeof(Element) == 4, std::uint32_t, std::uint16_t>>;

template <class Element>
[[nodiscard]] BitsOf<Element> bits_of(const Element& value) {
  BitsOf<Element> bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

/// The two top bits of a float: the sign, and the bit that only numbers >= 2, NaN and the
/// infinities set. Numbers in [+0, 2) have neither.
template <class Element>
inline constexpr auto suspicious_bits = static_cast<BitsOf<Element>>(BitsOf<Element>{3}
                                                                     << (8 * sizeof(Element) - 2));

/// The absolute value of a half precision number from its bits, by operations that every vector
/// unit has; infinities and NaN become large numbers.
inline float magnitude(Eigen::half value) {
  constexpr std::uint32_t least = 0x38800000U;  // 2^-14, the smallest normal half
  const std::uint32_t bits = (bits_of(value) & 0x7fffU) << 13;
  const float subnormal = std::bit_cast<float>(bits | least) - std::bit_cast<float>(least);
  return bits < 0x00800000U ? subnormal : std::bit_cast<float>(bits + 0x38000000U);
}
inline float magnitude(Eigen::bfloat16 value) {
  return std::bit_cast<float>((bits_of(value) & 0x7fffU) << 16);
}
template <class Element>
Element magnitude(Element value) {
  return std::abs(value);
}

/// The number >= 0 as Scalar, the way head_sum converts.
template <class Scalar, class Element>
[[nodiscard]] Scalar converted(Element value) {
  if constexpr (std::is_same_v<Element, Scalar>) return value;
  return static_cast<Scalar>(magnitude(value));
}

/// The number at hand is negative, NaN or infinite: no attention. -0 passes.
template <class Element>
[[nodiscard]] bool is_invalid_attention(Element value) {
  using Bits = BitsOf<Element>;
  constexpr auto sign = static_cast<Bits>(Bits{1} << (8 * sizeof(Element) - 1));
  const Bits infinity = bits_of(Eigen::NumTraits<Element>::infinity());
  const Bits bits = bits_of(value);
  return bits != sign && ((bits & sign) != 0 || bits >= infinity);
}

/// Neither NaN nor infinite, for all element types, by the bits.
template <class Element>
[[nodiscard]] bool is_finite_element(Element value) {
  const auto infinity = bits_of(Eigen::NumTraits<Element>::infinity());
  return (bits_of(value) & infinity) != infinity;
}

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

}  // namespace diffseg::detail
