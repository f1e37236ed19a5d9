// SPDX-License-Identifier: MIT
// Maps whose merge can be worked out by hand.
#pragma once

#include <diffseg/data/maps.hpp>

namespace support {

/// Four maps on 1 x 4 cells: 0 and 1 are alike, 2 and 3 are alike.
template <class Scalar>
diffseg::Maps<Scalar> two_pairs() {
  diffseg::Matrix<Scalar> rows(4, 4);
  rows << 8, 4, 2, 2, 4, 8, 2, 2, 2, 2, 8, 4, 2, 2, 4, 8;
  rows /= Scalar(16);
  return {{1, 4}, rows};
}

}  // namespace support
