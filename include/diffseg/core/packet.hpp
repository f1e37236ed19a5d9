// SPDX-License-Identifier: MIT
// Names for the vector unit that Eigen found, from SSE2 to AVX-512, or plain scalars without one.
#pragma once

#include <Eigen/Core>
#include <cmath>

namespace diffseg {

/// As many Scalars as one register holds.
template <class Scalar>
using Packet = typename Eigen::internal::packet_traits<Scalar>::type;

template <class Scalar>
inline constexpr Eigen::Index packet_size = Eigen::internal::unpacket_traits<Packet<Scalar>>::size;

/// As many 32-bit integers, or as the width of Scalar says; not every vector unit has them.
template <class Scalar>
using IntegerPacket = typename Eigen::internal::unpacket_traits<Packet<Scalar>>::integer_packet;

template <class Scalar>
inline constexpr bool has_integer_packet = requires {
  typename IntegerPacket<Scalar>;
};

/// Numbers aligned for packets; resize() leaves them unset.
template <class Scalar>
using Buffer = Eigen::Array<Scalar, Eigen::Dynamic, 1>;

/// Sees to room for `count` numbers at least, unset; a larger buffer stays, for the next use.
template <class Scalar>
void make_room(Buffer<Scalar>& buffer, Eigen::Index count) {
  // Not resize(), which frees first: without memory it would leave a pointer to what is gone.
  if (buffer.size() < count) buffer = Buffer<Scalar>(count);
}

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

}  // namespace diffseg
