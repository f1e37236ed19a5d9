// SPDX-License-Identifier: MIT
// Names for the vector unit that Eigen found, from SSE2 to AVX-512, or plain scalars without one.
#pragma once

#include <cmath>
#include <type_traits>
#include <utility>

#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// As many Scalars as one register holds.
template <class Scalar>
using Packet = typename Eigen::internal::packet_traits<Scalar>::type;

template <class Scalar>
inline constexpr Index packet_size = Eigen::internal::unpacket_traits<Packet<Scalar>>::size;

/// As many 32-bit integers, or as the width of Scalar says; not every vector unit has them.
template <class Scalar>
using IntegerPacket = typename Eigen::internal::unpacket_traits<Packet<Scalar>>::integer_packet;

template <class Scalar>
inline constexpr bool has_integer_packet = requires {
  typename IntegerPacket<Scalar>;
};

/// a * b + c as the vector unit's pmadd rounds it, which is left to the compiler otherwise: code
/// that works number by number gives the same bits as code that works by packets.
template <class Scalar>
[[nodiscard]] Scalar multiply_add(Scalar a, Scalar b, Scalar c) {
#ifdef EIGEN_VECTORIZE_FMA
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

/// Calls body(0), body(1) .. as constants, so that what they index lives in registers.
template <int Count, class Body>
void for_constants(const Body& body) {
  [&]<int... Indices>(std::integer_sequence<int, Indices...>) {
    (body(std::integral_constant<int, Indices>{}), ...);
  }
  (std::make_integer_sequence<int, Count>{});
}

}  // namespace diffseg::detail
