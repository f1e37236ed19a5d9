// SPDX-License-Identifier: MIT
// One row of a sparse matrix, judged and added to a dense one.
#pragma once

#include "diffseg/core/bits.hpp"
#include "diffseg/core/packet.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// The columns [count] ascend strictly within 0 .. bound - 1.
template <class Column>
[[nodiscard]] bool is_ascending(const Column* columns, Index count, Index bound) {
  if (count == 0) return true;
  bool sound = columns[0] >= 0 && static_cast<Index>(columns[count - 1]) < bound;
  for (Index i = 1; i < count; ++i) sound &= columns[i - 1] < columns[i];
  return sound;
}

/// True unless some number may be negative, NaN or infinite (or is >= 2): as head_sum judges.
template <class Element>
[[nodiscard]] bool is_plain_attention(const Element* values, Index count) {
  BitsOf<Element> seen = 0;
  for (Index i = 0; i < count; ++i) {
    seen = static_cast<BitsOf<Element>>(seen | bits_of(values[i]));
  }
  return (seen & suspicious_bits<Element>) == 0;
}

/// row[columns[i]] += weight * (values[i] - base), with base 0 rounded as head_sum and packets of a
/// dense row round. Columns lie within the row, each once.
template <class Element, class Column, class Scalar>
void scatter_row(const Element* values, const Column* columns, Index count, Scalar weight,
                 Scalar base, Scalar* row) {
  for (Index i = 0; i < count; ++i) {
    Scalar& place = row[columns[i]];
    place = multiply_add(weight, converted<Scalar>(values[i]) - base, place);
  }
}

}  // namespace diffseg::detail
