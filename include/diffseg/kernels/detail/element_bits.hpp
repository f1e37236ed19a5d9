// SPDX-License-Identifier: MIT
// Numbers of attention by their bits, which -ffast-math leaves alone.
#pragma once

#include <Eigen/Core>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

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

}  // namespace diffseg::detail
