// SPDX-License-Identifier: MIT
// Aggregate in the scalar of a test.
#pragma once

#include <diffseg/attention/aggregate.hpp>

namespace support {

template <class Scalar>
diffseg::Maps<Scalar> aggregate(const diffseg::Layers& layers,
                                const diffseg::Aggregate& stage = {}) {
  diffseg::Maps<Scalar> maps;
  stage(layers, maps);
  return maps;
}

}  // namespace support
