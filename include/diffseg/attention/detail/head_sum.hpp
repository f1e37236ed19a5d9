// SPDX-License-Identifier: MIT
// The sum of one row over all heads, reading every byte once and judging it on the way.
#pragma once

#include <Eigen/Core>
#include <type_traits>

#include "diffseg/core/bits.hpp"
#include "diffseg/core/packet.hpp"

namespace diffseg::detail {

/// head_sum of numbers that fill packets, packets [0, whole): heads inside, so that a sum stays in
/// its register. Returns the numbers' bits, OR-ed.
template <class Element, class Scalar>
Packet<Element> head_sum_packets(const Element* in, Index head_stride, Index heads, Index whole,
                                 Scalar* out) {
  using namespace Eigen::internal;
  constexpr Index lanes = packet_size<Scalar>;
  constexpr auto widened = widened_packet<Scalar, Element>;
  auto seen = pset1<Packet<Element>>(Element(0));
  auto more = seen;
  Index i = 0;
  for (; i + 4 <= whole; i += 4) {
    const Element* row = in + i * lanes;
    const auto first0 = ploadu<Packet<Element>>(row);
    const auto first1 = ploadu<Packet<Element>>(row + lanes);
    const auto first2 = ploadu<Packet<Element>>(row + 2 * lanes);
    const auto first3 = ploadu<Packet<Element>>(row + 3 * lanes);
    seen = por(seen, por(first0, first1));
    more = por(more, por(first2, first3));
    auto sum0 = widened(first0);
    auto sum1 = widened(first1);
    auto sum2 = widened(first2);
    auto sum3 = widened(first3);
    for (Index head = 1; head < heads; ++head) {
      row += head_stride;
      const auto next0 = ploadu<Packet<Element>>(row);
      const auto next1 = ploadu<Packet<Element>>(row + lanes);
      const auto next2 = ploadu<Packet<Element>>(row + 2 * lanes);
      const auto next3 = ploadu<Packet<Element>>(row + 3 * lanes);
      seen = por(seen, por(next0, next1));
      more = por(more, por(next2, next3));
      sum0 = padd(sum0, widened(next0));
      sum1 = padd(sum1, widened(next1));
      sum2 = padd(sum2, widened(next2));
      sum3 = padd(sum3, widened(next3));
    }
    pstoreu(out + i * lanes, sum0);
    pstoreu(out + (i + 1) * lanes, sum1);
    pstoreu(out + (i + 2) * lanes, sum2);
    pstoreu(out + (i + 3) * lanes, sum3);
  }
  for (; i < whole; ++i) {
    const auto first = ploadu<Packet<Element>>(in + i * lanes);
    seen = por(seen, first);
    auto sum = widened(first);
    for (Index head = 1; head < heads; ++head) {
      const auto next = ploadu<Packet<Element>>(in + head * head_stride + i * lanes);
      seen = por(seen, next);
      sum = padd(sum, widened(next));
    }
    pstoreu(out + i * lanes, sum);
  }
  return por(seen, more);
}

/// head_sum of numbers to be converted, `whole` pieces of them; the sums of a piece stay in
/// registers. Returns the numbers' bits, OR-ed.
template <Index Piece, class Element, class Scalar>
BitsOf<Element> head_sum_pieces(const Element* in, Index head_stride, Index heads, Index whole,
                                Scalar* out) {
  BitsOf<Element> seen[Piece] = {};
  for (Index piece = 0; piece < whole; ++piece, in += Piece, out += Piece) {
    Scalar sum[Piece] = {};
    for (Index head = 0; head < heads; ++head) {
      const Element* row = in + head * head_stride;
      for (Index i = 0; i < Piece; ++i) {
        sum[i] += static_cast<Scalar>(magnitude(row[i]));
        seen[i] = static_cast<BitsOf<Element>>(seen[i] | bits_of(row[i]));
      }
    }
    for (Index i = 0; i < Piece; ++i) out[i] = sum[i];
  }
  BitsOf<Element> all = 0;
  for (const auto bits : seen) all = static_cast<BitsOf<Element>>(all | bits);
  return all;
}

/// out[i] = sum over h < heads of in[h * head_stride + i], i < count, heads >= 1, added in the
/// order of the heads. Returns false if some number may be negative, NaN or infinite (or is >= 2):
/// the caller then looks closer. All numbers are judged by their bits, which -ffast-math leaves
/// alone.
template <class Element, class Scalar>
bool head_sum(const Element* in, Index head_stride, Index heads, Index count, Scalar* out) {
  using Bits = BitsOf<Element>;
  Bits seen = 0;
  Index done = 0;
  if constexpr (fills_packet<Element, Scalar>) {
    const Index whole = count / packet_size<Scalar>;
    done = whole * packet_size<Scalar>;
    Element bits[packet_size<Scalar>];
    Eigen::internal::pstoreu(bits, head_sum_packets(in, head_stride, heads, whole, out));
    for (const Element value : bits) seen = static_cast<Bits>(seen | bits_of(value));
  } else {
    constexpr Index piece = 32;
    done = count / piece * piece;
    seen = head_sum_pieces<piece>(in, head_stride, heads, count / piece, out);
  }
  for (Index head = 0; head < heads; ++head) {
    const Element* row = in + head * head_stride;
    for (Index i = done; i < count; ++i) {
      seen = static_cast<Bits>(seen | bits_of(row[i]));
      out[i] = (head == 0 ? Scalar(0) : out[i]) + static_cast<Scalar>(row[i]);
    }
  }
  return (seen & suspicious_bits<Element>) == 0;
}

}  // namespace diffseg::detail
