// SPDX-License-Identifier: MIT
// The sum of one row over all heads, reading every byte once and judging it on the way.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "diffseg/core/types.hpp"

namespace diffseg {

namespace detail {

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

}  // namespace detail

/// The number at hand is negative, NaN or infinite: no attention. -0 passes.
template <class Element>
[[nodiscard]] bool is_invalid_attention(Element value) {
  using Bits = detail::BitsOf<Element>;
  constexpr auto sign = static_cast<Bits>(Bits{1} << (8 * sizeof(Element) - 1));
  const Bits infinity = detail::bits_of(Eigen::NumTraits<Element>::infinity());
  const Bits bits = detail::bits_of(value);
  return bits != sign && ((bits & sign) != 0 || bits >= infinity);
}

/// out[i] = sum over h < heads of in[h * head_stride + i], i < count, heads >= 1. Returns false if
/// some number may be negative, NaN or infinite (or is >= 2): the caller then looks closer. All
/// numbers are judged by their bits, which -ffast-math leaves alone.
template <class Element, class Scalar>
bool head_sum(const Element* in, Index head_stride, Index heads, Index count, Scalar* out) {
  detail::BitsOf<Element> seen = 0;
  for (Index head = 0; head < heads; ++head) {
    const Element* row = in + head * head_stride;
    if (head == 0) {
      for (Index i = 0; i < count; ++i) {
        seen = static_cast<detail::BitsOf<Element>>(seen | detail::bits_of(row[i]));
        out[i] = static_cast<Scalar>(row[i]);
      }
    } else {
      for (Index i = 0; i < count; ++i) {
        seen = static_cast<detail::BitsOf<Element>>(seen | detail::bits_of(row[i]));
        out[i] += static_cast<Scalar>(row[i]);
      }
    }
  }
  return (seen & detail::suspicious_bits<Element>) == 0;
}

}  // namespace diffseg
