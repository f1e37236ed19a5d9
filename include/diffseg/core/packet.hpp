// SPDX-License-Identifier: MIT
// Names for the vector unit that Eigen found, from SSE2 to AVX-512, or plain scalars without one.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#ifdef __F16C__
#include <immintrin.h>
#endif

namespace diffseg::detail {

using Eigen::Index;

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

/// Whether a packet of Elements fills one of Scalars, by an instruction if they are not the same.
template <class Element, class Scalar>
inline constexpr bool fills_packet = std::is_same_v<Element, Scalar>;
#if defined(__F16C__) && defined(EIGEN_VECTORIZE_AVX)
template <>
inline constexpr bool fills_packet<Eigen::half, float> =
    packet_size<Eigen::half> == packet_size<float>;

/// Eigen 3.4 asks for this instruction of clang alone.
inline __m256 widened_halves(const __m128i& halves) {
  return _mm256_cvtph_ps(halves);
}
#ifdef __AVX512F__
inline __m512 widened_halves(const __m256i& halves) {
  return _mm512_maskz_cvtph_ps(0xffff, halves);  // all lanes; g++ 12 warns of the plain form
}
#endif
#endif

/// A packet of Elements as one of Scalars, exactly.
template <class Scalar, class Element>
[[nodiscard]] Packet<Scalar> widened_packet(const Packet<Element>& packet) {
  if constexpr (std::is_same_v<Element, Scalar>) {
    return packet;
  } else {
    return widened_halves(packet);
  }
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

/// Calls body(0), body(1) .. as constants, so that what they index lives in registers.
template <int Count, class Body>
void for_constants(const Body& body) {
  [&]<int... Indices>(std::integer_sequence<int, Indices...>) {
    (body(std::integral_constant<int, Indices>{}), ...);
  }
  (std::make_integer_sequence<int, Count>{});
}

/// Numbers a packet at a time, or one by one.
struct InPackets {
  template <class Scalar>
  using Type = Packet<Scalar>;
};
struct OneByOne {
  template <class Scalar>
  using Type = Scalar;
};

/// What a body of for_packets handles at once.
template <class Step, class Scalar>
using StepOf = typename Step::template Type<Scalar>;

/// Calls body(i, InPackets) for the packets i .. i + lanes - 1 of `count` numbers, then body(i,
/// OneByOne) for each that is left. Eigen's packet functions know both, and a body of them is
/// compiled in no time, unlike an expression.
template <class Scalar, class Body>
void for_packets(Index count, const Body& body) {
  constexpr Index lanes = packet_size<Scalar>;
  Index i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    body(i, InPackets{});
    body(i + lanes, InPackets{});
    body(i + 2 * lanes, InPackets{});
    body(i + 3 * lanes, InPackets{});
  }
  for (; i + lanes <= count; i += lanes) body(i, InPackets{});
  for (; i < count; ++i) body(i, OneByOne{});
}

/// a / b for packets of finite numbers, or for numbers, rounded once. 32-bit NEON does not divide,
/// and Eigen stops at 16 bits there: what its quotient leaves of a gives the others, within 2
/// epsilon.
template <class P>
[[nodiscard]] P divide_packet(const P& a, const P& b) {
  using namespace Eigen::internal;
  const P quotient = pdiv(a, b);
#if defined(EIGEN_VECTORIZE_NEON) && !EIGEN_ARCH_ARM64
  if constexpr (!std::is_arithmetic_v<P>) {
    return padd(quotient, pdiv(psub(a, pmul(quotient, b)), b));
  }
#endif
  return quotient;
}

/// a * b + c for packets, or for numbers as packets round it.
template <class P>
[[nodiscard]] P multiply_add_packet(const P& a, const P& b, const P& c) {
  if constexpr (std::is_floating_point_v<P>) {
    return multiply_add(a, b, c);
  } else {
    return Eigen::internal::pmadd(a, b, c);
  }
}

/// The sum of term(i, step) over `count` numbers, in an order that depends on `count` alone.
template <class Scalar, class Term>
[[nodiscard]] Scalar sum_packets(Index count, const Term& term) {
  using namespace Eigen::internal;
  using Lanes = Packet<Scalar>;
  constexpr Index lanes = packet_size<Scalar>;
  Lanes totals[4];
  for (Lanes& total : totals) total = pset1<Lanes>(Scalar(0));
  Index i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    totals[0] = padd(totals[0], term(i, InPackets{}));
    totals[1] = padd(totals[1], term(i + lanes, InPackets{}));
    totals[2] = padd(totals[2], term(i + 2 * lanes, InPackets{}));
    totals[3] = padd(totals[3], term(i + 3 * lanes, InPackets{}));
  }
  for (; i + lanes <= count; i += lanes) totals[0] = padd(totals[0], term(i, InPackets{}));
  Scalar sum = predux(padd(padd(totals[0], totals[1]), padd(totals[2], totals[3])));
  for (; i < count; ++i) sum += term(i, OneByOne{});
  return sum;
}

/// The sum of `count` numbers.
template <class Scalar>
[[nodiscard]] Scalar sum_of(const Scalar* x, Index count) {
  return sum_packets<Scalar>(count, [=](Index i, auto step) {
    return Eigen::internal::ploadu<StepOf<decltype(step), Scalar>>(x + i);
  });
}

/// The sum of the products of `count` numbers.
template <class Scalar>
[[nodiscard]] Scalar dot_of(const Scalar* x, const Scalar* y, Index count) {
  return sum_packets<Scalar>(count, [=](Index i, auto step) {
    using P = StepOf<decltype(step), Scalar>;
    return Eigen::internal::pmul(Eigen::internal::ploadu<P>(x + i),
                                 Eigen::internal::ploadu<P>(y + i));
  });
}

/// out [count] += x [count].
template <class Scalar>
void add_to(const Scalar* x, Index count, Scalar* out) {
  for_packets<Scalar>(count, [&](Index i, auto step) {
    using P = StepOf<decltype(step), Scalar>;
    using namespace Eigen::internal;
    pstoreu(out + i, padd(ploadu<P>(out + i), ploadu<P>(x + i)));
  });
}

/// out [count] = change(x) packet by packet, the last one filled up with ones: for functions whose
/// bits differ between packets and numbers.
template <class Scalar, class Change>
void map_packets(const Scalar* x, Index count, Scalar* out, const Change& change) {
  using namespace Eigen::internal;
  constexpr Index lanes = packet_size<Scalar>;
  Index i = 0;
  for (; i + lanes <= count; i += lanes) {
    pstoreu(out + i, change(ploadu<Packet<Scalar>>(x + i)));
  }
  if (i == count) return;
  Scalar tail[lanes];
  std::fill_n(tail, lanes, Scalar(1));
  std::copy(x + i, x + count, tail);
  pstoreu(tail, change(ploadu<Packet<Scalar>>(tail)));
  std::copy_n(tail, count - i, out + i);
}

}  // namespace diffseg::detail
