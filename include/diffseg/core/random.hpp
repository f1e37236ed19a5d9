// SPDX-License-Identifier: MIT
// Seeded random numbers, the same on every platform: std's distributions are not.
#pragma once

#include <cstdint>

namespace diffseg::detail {

/// SplitMix64 (Steele, Lea, Flood 2014): any seed is a good one.
class RandomNumbers {
 public:
  explicit RandomNumbers(std::uint64_t seed) : state_(seed) {}

  /// 64 random bits.
  std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11U) * 0x1p-53; }
  /// Uniform in 0 .. count - 1; requires count >= 1.
  std::int64_t below(std::int64_t count) {
    const auto range = static_cast<std::uint64_t>(count);
    const std::uint64_t uneven =
        (0 - range) % range;  // 2^64 modulo range: refused, so all are equal
    std::uint64_t draw = bits();
    while (draw < uneven) draw = bits();
    return static_cast<std::int64_t>(draw % range);
  }

 private:
  std::uint64_t state_;
};

}  // namespace diffseg::detail
