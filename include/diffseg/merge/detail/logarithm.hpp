// SPDX-License-Identifier: MIT
// Natural logarithms of many numbers that are known to be normal.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "diffseg/core/packet.hpp"

namespace diffseg::detail {

/// ln(1 + f) for f in [sqrt(1/2) - 1, sqrt(2) - 1): f - f^2 / 2 + f^3 P(f), P the polynomial of
/// degree 7 whose largest relative error is smallest (6e-9; Lawson's iteration on 20,000 points).
template <class Lanes>
Lanes log_one_plus(const Lanes& f) {
  using namespace Eigen::internal;
  const auto step = [&f](const Lanes& sum, float next) {
    return pmadd(sum, f, pset1<Lanes>(next));
  };
  Lanes sum = step(pset1<Lanes>(-7.634493024e-2F), 1.276157564e-1F);
  sum = step(sum, -1.316018306e-1F);
  sum = step(sum, 1.420175823e-1F);
  sum = step(sum, -1.662335730e-1F);
  sum = step(sum, 2.000122687e-1F);
  sum = step(sum, -2.500082104e-1F);
  sum = step(sum, 3.333333171e-1F);
  const Lanes square = pmul(f, f);
  return padd(f, pmadd(pmul(square, f), sum, pmul(square, pset1<Lanes>(-0.5F))));
}

/// ln p for every lane; each p positive, finite and not subnormal, else the result is any number.
/// Relative error below 2 eps. float: ln(2^e m) = e ln 2 + ln m, m in [sqrt(1/2), sqrt(2)); without
/// Eigen's care for zero and infinity less than half of the time. double: Eigen's plog.
template <class Scalar>
[[nodiscard]] Packet<Scalar> log_of_normal(const Packet<Scalar>& p) {
  using namespace Eigen::internal;
  if constexpr (std::is_same_v<Scalar, float> && has_integer_packet<Scalar>) {
    using Lanes = Packet<Scalar>;
    using Integers = IntegerPacket<Scalar>;
    constexpr auto root_half = std::bit_cast<std::int32_t>(0.70710678F);
    const Integers bits = preinterpret<Integers>(p);
    const Integers exponent = parithmetic_shift_right<23>(psub(bits, pset1<Integers>(root_half)));
    const Lanes mantissa = preinterpret<Lanes>(psub(bits, plogical_shift_left<23>(exponent)));
    return pmadd(pcast<Integers, Lanes>(exponent), pset1<Lanes>(0.69314718F),
                 log_one_plus<Lanes>(psub(mantissa, pset1<Lanes>(1.0F))));
  } else {
    return plog(p);
  }
}

}  // namespace diffseg::detail
