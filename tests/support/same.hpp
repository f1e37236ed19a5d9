// SPDX-License-Identifier: MIT
// Whether two results are the same, to the bit.
#pragma once

#include <cstring>
#include <diffseg/data/labels.hpp>
#include <diffseg/data/maps.hpp>

namespace support {

template <class Scalar>
bool same_bits(const Scalar* a, const Scalar* b, diffseg::Index count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof(Scalar)) == 0;
}

template <class Scalar>
bool same_bits(const diffseg::Matrix<Scalar>& a, const diffseg::Matrix<Scalar>& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() && same_bits(a.data(), b.data(), a.size());
}

template <class Scalar>
bool same_bits(const diffseg::Maps<Scalar>& a, const diffseg::Maps<Scalar>& b) {
  return a.grid() == b.grid() && same_bits(a.rows(), b.rows());
}

inline bool same(const diffseg::Labels& a, const diffseg::Labels& b) {
  return a.size == b.size && a.values == b.values && a.proposals == b.proposals;
}

}  // namespace support
