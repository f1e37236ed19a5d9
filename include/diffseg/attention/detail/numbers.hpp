// SPDX-License-Identifier: MIT
// Numbers of a layer, of any type, as those that are computed with.
#pragma once

#include "diffseg/core/bits.hpp"
#include "diffseg/core/packet.hpp"

namespace diffseg::detail {

/// out [count] = the numbers from `offset` on, exactly (rounded where Scalar is narrower).
template <class Scalar>
void read_numbers(ElementType type, const void* data, Index offset, Index count, Scalar* out) {
  visit_pieces(type, data, offset, count, [&](const auto* numbers, Index first, Index some) {
    using Element = std::remove_cvref_t<decltype(*numbers)>;
    Scalar* const to = out + first;
    Index i = 0;
    if constexpr (fills_packet<Element, Scalar>) {
      for (; i + packet_size<Scalar> <= some; i += packet_size<Scalar>) {
        const auto packet = Eigen::internal::ploadu<Packet<Element>>(numbers + i);
        Eigen::internal::pstoreu(to + i, widened_packet<Scalar, Element>(packet));
      }
    }
    for (; i < some; ++i) to[i] = static_cast<Scalar>(widened(numbers[i]));
    return true;
  });
}

/// The numbers from `offset` on, as they lie, or else copied or converted into `room` [count].
template <class Scalar>
const Scalar* as_numbers(ElementType type, const void* data, Index offset, Index count,
                         Scalar* room) {
  if (type == element_type_of<Scalar>() && is_aligned(type, data)) {
    return static_cast<const Scalar*>(data) + offset;
  }
  read_numbers(type, data, offset, count, room);
  return room;
}

}  // namespace diffseg::detail
