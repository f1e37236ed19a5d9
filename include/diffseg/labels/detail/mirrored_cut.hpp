// SPDX-License-Identifier: MIT
// Cuts out of lines that go on behind their ends as in mirrors.
#pragma once

#include <algorithm>

#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// Numbers first .. first + size - 1 of a line of `count`, mirrored at both ends, which stand once:
/// .. 2 1 0 1 2 .. Some of them must be within the line.
struct MirroredCut {
  Index first;
  Index size;
  Index count;

  /// Where in the line number i of the cut comes from.
  [[nodiscard]] Index source(Index i) const {
    if (count == 1) return 0;
    const Index period = 2 * (count - 1);
    const Index place = ((first + i) % period + period) % period;
    return std::min(place, period - place);
  }
  /// The numbers begin() .. end() - 1 of the cut are not mirrored.
  [[nodiscard]] Index begin() const { return std::max<Index>(0, -first); }
  [[nodiscard]] Index end() const { return std::min(size, count - first); }

  /// Fills the others in out [size]; a margin is no wider than what is not mirrored, or that is the
  /// whole line.
  template <class Number>
  void mirror(Number* out) const {
    for (Index i = 0; i < begin(); ++i) out[i] = out[source(i) - first];
    for (Index i = end(); i < size; ++i) out[i] = out[source(i) - first];
  }
};

}  // namespace diffseg::detail
