// SPDX-License-Identifier: MIT
// Numbers as they are stored, and by their bits, which -ffast-math leaves alone.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace diffseg {

/// How the numbers of a Layer are stored.
enum class ElementType { f16, bf16, f32, f64 };

namespace detail {

using Eigen::Index;

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

/// A number of half precision as float, exactly, by operations that every vector unit has.
inline float widened(Eigen::half value) {
  constexpr std::uint32_t least = 0x38800000U;  // 2^-14, the smallest normal half
  const std::uint32_t bits = (bits_of(value) & 0x7fffU) << 13;
  const std::uint32_t sign = (bits_of(value) & 0x8000U) << 16;
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(bits | least) -
                                                               std::bit_cast<float>(least));
  const std::uint32_t shift = bits < 0x0f800000U ? 0x38000000U : 0x70000000U;  // or not finite
  return std::bit_cast<float>(sign | (bits < 0x00800000U ? subnormal : bits + shift));
}
inline float widened(Eigen::bfloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits_of(value)) << 16);
}
template <class Element>
Element widened(Element value) {
  return value;
}

/// The number >= 0 as Scalar, the way head_sum converts.
template <class Scalar, class Element>
[[nodiscard]] Scalar converted(Element value) {
  if constexpr (std::is_same_v<Element, Scalar>) return value;
  return static_cast<Scalar>(magnitude(value));
}

/// 0 for a number that attention can hold: neither negative nor NaN nor infinite; -0 passes.
template <class Element>
[[nodiscard]] BitsOf<Element> attention_fault(Element value) {
  using Bits = BitsOf<Element>;
  constexpr auto sign = static_cast<Bits>(Bits{1} << (8 * sizeof(Element) - 1));
  const Bits bits = bits_of(value);
  const auto fault = static_cast<Bits>(bits ^ sign);
  return bits >= bits_of(Eigen::NumTraits<Element>::infinity()) ? fault : Bits{0};
}

/// The number at hand is negative, NaN or infinite: no attention.
template <class Element>
[[nodiscard]] bool is_invalid_attention(Element value) {
  return attention_fault(value) != 0;
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

/// Bytes of one number.
[[nodiscard]] constexpr Index element_bytes(ElementType type) {
  return type == ElementType::f64 ? 8 : type == ElementType::f32 ? 4 : 2;
}

/// The name of a C++ type.
template <class Element>
[[nodiscard]] constexpr ElementType element_type_of() {
  static_assert(std::is_same_v<Element, float> || std::is_same_v<Element, double> ||
                    std::is_same_v<Element, Eigen::half> ||
                    std::is_same_v<Element, Eigen::bfloat16>,
                "a layer holds float, double, Eigen::half or Eigen::bfloat16");
  if (std::is_same_v<Element, Eigen::half>) return ElementType::f16;
  if (std::is_same_v<Element, Eigen::bfloat16>) return ElementType::bf16;
  return std::is_same_v<Element, double> ? ElementType::f64 : ElementType::f32;
}

/// The numbers at `data` lie where one of their type may.
[[nodiscard]] inline bool is_aligned(ElementType type, const void* data) {
  return reinterpret_cast<std::uintptr_t>(data) % static_cast<std::size_t>(element_bytes(type)) ==
         0;
}

/// Calls body with a typed pointer to `data`, which is aligned.
template <class Body>
decltype(auto) visit_elements(ElementType type, const void* data, const Body& body) {
  switch (type) {
    case ElementType::f16:
      return body(static_cast<const Eigen::half*>(data));
    case ElementType::bf16:
      return body(static_cast<const Eigen::bfloat16*>(data));
    case ElementType::f64:
      return body(static_cast<const double*>(data));
    case ElementType::f32:
      break;
  }
  return body(static_cast<const float*>(data));
}

/// Where the number `offset` of `data` lies; null stays null.
[[nodiscard]] inline const void* advanced(const void* data, Index offset, ElementType type) {
  if (data == nullptr) return data;
  return static_cast<const std::byte*>(data) + offset * element_bytes(type);
}

/// Calls body(numbers, first, some) for the numbers offset + first .. offset + first + some - 1:
/// once, where they lie, or piece by piece for copies of those that are not aligned, until it
/// returns false.
template <class Body>
void visit_pieces(ElementType type, const void* data, Index offset, Index count, const Body& body) {
  constexpr Index room_bytes = 2048;  // a multiple of all packets
  alignas(64) std::byte room[room_bytes];
  const bool aligned = is_aligned(type, data);
  const Index most = aligned ? count : room_bytes / element_bytes(type);
  bool more = true;
  for (Index first = 0; more && first < count; first += most) {
    const Index some = std::min(most, count - first);
    const void* from = advanced(data, offset + first, type);
    if (!aligned)
      from = std::memcpy(room, from, static_cast<std::size_t>(some * element_bytes(type)));
    more =
        visit_elements(type, from, [&](const auto* numbers) { return body(numbers, first, some); });
  }
}

/// The first of `count` numbers that is NaN or infinite; -1: none is. As fast as reading.
[[nodiscard]] inline Index find_not_finite(ElementType type, const void* data, Index offset,
                                           Index count) {
  Index found = -1;
  visit_pieces(type, data, offset, count, [&](const auto* numbers, Index first, Index some) {
    using Element = std::remove_cvref_t<decltype(*numbers)>;
    using Bits = BitsOf<Element>;
    Bits bad = 0;  // no early exit, and no bool, so that it runs in packets
    for (Index i = 0; i < some; ++i)
      bad = static_cast<Bits>(bad | (is_finite_element(numbers[i]) ? Bits{0} : Bits{1}));
    if (bad == 0) return true;
    found =
        first + (std::find_if_not(numbers, numbers + some, is_finite_element<Element>) - numbers);
    return false;
  });
  return found;
}

/// The first of `count` numbers that no attention can hold (NaN, infinite, negative); -1: none is.
[[nodiscard]] inline Index find_invalid_attention(ElementType type, const void* data, Index offset,
                                                  Index count) {
  Index found = -1;
  visit_pieces(type, data, offset, count, [&](const auto* numbers, Index first, Index some) {
    using Element = std::remove_cvref_t<decltype(*numbers)>;
    using Bits = BitsOf<Element>;
    Bits bad = 0;  // as above
    for (Index i = 0; i < some; ++i) bad = static_cast<Bits>(bad | attention_fault(numbers[i]));
    if (bad == 0) return true;
    found =
        first + (std::find_if(numbers, numbers + some, is_invalid_attention<Element>) - numbers);
    return false;
  });
  return found;
}

/// One number as a double, for messages.
[[nodiscard]] inline double number_at(ElementType type, const void* data, Index offset) {
  double value = 0;
  visit_pieces(type, data, offset, 1, [&](const auto* number, Index, Index) {
    value = static_cast<double>(widened(*number));
    return false;
  });
  return value;
}

}  // namespace detail

}  // namespace diffseg
