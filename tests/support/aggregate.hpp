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

/// What maps may be off by against the same sums in another order.
template <class Scalar>
constexpr double tolerance = sizeof(Scalar) == 4 ? 1e-6 : 1e-13;

inline double worst(const diffseg::Matrix<double>& a, const diffseg::Matrix<double>& b) {
  return (a - b).cwiseAbs().maxCoeff();
}

}  // namespace support
