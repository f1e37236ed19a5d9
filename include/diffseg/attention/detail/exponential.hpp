// SPDX-License-Identifier: MIT
// Exponentials of many numbers that are known to be at most 0.
#pragma once

#include <type_traits>

#include "diffseg/core/packet.hpp"

namespace diffseg::detail {

/// e^x for every lane; each x at most 0, or NaN, which stays. Relative error below 3 eps. float:
/// e^x = 2^n e^f, n = round(x / ln 2), e^f = 1 + f + f^2 P(f), P the polynomial of degree 4 whose
/// largest relative error is smallest (3e-9; Lawson's iteration on 20,000 points); below -87.3 the
/// smallest normal number or so, not 0. double: Eigen's pexp.
template <class Scalar>
[[nodiscard]] Packet<Scalar> exp_of_negative(const Packet<Scalar>& x) {
  using namespace Eigen::internal;
  if constexpr (std::is_same_v<Scalar, float> && has_integer_packet<Scalar>) {
    using Lanes = Packet<Scalar>;
    using Integers = IntegerPacket<Scalar>;
    const auto all = [](float number) { return pset1<Lanes>(number); };
    const Lanes least = pmax(x, all(-87.33F));
    // 1.5 x 2^23 leaves a sum no digits below 1, and 127, the exponent of 1, in its last bits.
    const Lanes places = all(12582912.0F + 127.0F);
    Lanes shifted = pmadd(least, all(1.44269504F), places);
    EIGEN_OPTIMIZATION_BARRIER(shifted)  // -ffast-math would take the places off again
    const Lanes n = psub(shifted, places);
    // ln 2 in two parts, the first of 9 bits: n times it is exact.
    Lanes f = pmadd(n, all(-0.693359375F), least);
    EIGEN_OPTIMIZATION_BARRIER(f)  // -ffast-math would put the parts together
    f = pmadd(n, all(2.12194440e-4F), f);
    Lanes sum = pmadd(all(1.381459879e-3F), f, all(8.368716575e-3F));
    sum = pmadd(sum, f, all(4.166838899e-2F));
    sum = pmadd(sum, f, all(1.666652113e-1F));
    sum = pmadd(sum, f, all(4.999999404e-1F));
    const Lanes power = padd(all(1.0F), pmadd(sum, pmul(f, f), f));
    const auto scale = plogical_shift_left<23>(preinterpret<Integers>(shifted));
    return pmul(power, preinterpret<Lanes>(Integers(scale)));
  } else {
    return pexp(x);
  }
}

}  // namespace diffseg::detail
