// SPDX-License-Identifier: MIT
// Names for the vector unit that Eigen found, from SSE2 to AVX-512, or plain scalars without one.
#pragma once

#include <Eigen/Core>

namespace diffseg {

/// As many Scalars as one register holds.
template <class Scalar>
using Packet = typename Eigen::internal::packet_traits<Scalar>::type;

template <class Scalar>
inline constexpr Eigen::Index packet_size = Eigen::internal::unpacket_traits<Packet<Scalar>>::size;

/// Numbers aligned for packets; resize() leaves them unset.
template <class Scalar>
using Buffer = Eigen::Array<Scalar, Eigen::Dynamic, 1>;

}  // namespace diffseg
