// SPDX-License-Identifier: MIT
// Polynomials over {0, 1} modulo that of CRC-32. A word holds the coefficients of x^0 .. x^31 from
// its highest bit to its lowest, as the checksum itself does, so that x^0 is 0x80000000.
#pragma once

#include <cstdint>

namespace diffseg::detail {

/// polynomial * x, modulo x^32 + x^26 + x^23 + x^22 + x^16 + x^12 + x^11 + x^10 + x^8 + x^7 + x^5 +
/// x^4 + x^2 + x + 1 (ISO 3309).
constexpr std::uint32_t times_x(std::uint32_t polynomial) {
  return polynomial >> 1 ^ ((polynomial & 1) != 0 ? 0xedb88320U : 0U);
}

/// The product of two polynomials.
constexpr std::uint32_t polynomial_product(std::uint32_t left, std::uint32_t right) {
  std::uint32_t product = 0;
  for (; left != 0; left <<= 1, right = times_x(right)) {
    product ^= (left & 0x80000000U) != 0 ? right : 0U;
  }
  return product;
}

/// x^exponent, by squaring.
constexpr std::uint32_t power_of_x(std::uint64_t exponent) {
  std::uint32_t power = 0x80000000U;
  for (std::uint32_t square = times_x(power); exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) power = polynomial_product(power, square);
    square = polynomial_product(square, square);
  }
  return power;
}

}  // namespace diffseg::detail
