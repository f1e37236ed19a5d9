// SPDX-License-Identifier: MIT
// The one way to refuse a caller's mistake.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>

namespace diffseg {

/// A file could not be read or written; the message names file, field and remedy.
class io_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {

/// The parts of a message, written one after the other.
template <class... Parts>
[[nodiscard]] std::string message(const Parts&... parts) {
  std::ostringstream text;
  text.precision(9);
  (text << ... << parts);
  return text.str();
}

/// Throws std::invalid_argument with the message `parts...` unless `condition` holds.
/// Message: stage, rule, value, as in `require(k > 0, "Merge: k must be > 0, got ", k)`.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw std::invalid_argument(message(parts...));
}

/// True for all numbers but NaN and the infinities; looks at the bits, so -ffast-math cannot
/// optimise the question away.
template <std::floating_point Scalar>
[[nodiscard]] constexpr bool is_finite(Scalar value) {
  if constexpr (sizeof(Scalar) == 4) {
    return (std::bit_cast<std::uint32_t>(value) & 0x7f800000U) != 0x7f800000U;
  } else {
    return (std::bit_cast<std::uint64_t>(value) & 0x7ff0000000000000U) != 0x7ff0000000000000U;
  }
}

/// `a * b` for a, b >= 0; an error that starts with `stage` when it leaves the range of Integer.
template <std::integral Integer>
[[nodiscard]] Integer checked_product(Integer a, Integer b, const char* stage) {
  require(a >= 0 && b >= 0 && (b == 0 || a <= std::numeric_limits<Integer>::max() / b), stage,
          ": sizes must multiply without overflow, got ", a, " x ", b);
  return a * b;
}

}  // namespace detail

}  // namespace diffseg
