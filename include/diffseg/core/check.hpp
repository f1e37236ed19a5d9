// SPDX-License-Identifier: MIT
// The one way to refuse a caller's mistake.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>

namespace diffseg::detail {

/// A part of a message: a reference to anything that a stream can write. It is written only when
/// the message is needed, by code that is compiled once for each type of part.
class Part {
 public:
  template <class Value>
  Part(const Value& value)  // NOLINT(google-explicit-constructor): parts are listed as they are
      : value_(&value), write_([](std::ostream& out, const void* place) {
          out << *static_cast<const Value*>(place);
        }) {}
  Part(const char* text)  // NOLINT(google-explicit-constructor)
      : value_(text), write_([](std::ostream& out, const void* place) {
          out << static_cast<const char*>(place);
        }) {}

  friend std::ostream& operator<<(std::ostream& out, const Part& part) {
    part.write_(out, part.value_);
    return out;
  }

 private:
  const void* value_;
  void (*write_)(std::ostream&, const void*);
};

inline std::string joined(std::initializer_list<Part> parts) {
  std::ostringstream text;
  text.exceptions(std::ios::badbit);  // else what memory does not hold is left out in silence
  text.precision(9);
  for (const Part& part : parts) text << part;
  return text.str();
}

/// The parts of a message, written one after the other.
template <class... Parts>
[[nodiscard]] std::string message(const Parts&... parts) {
  return joined({Part(parts)...});
}

[[noreturn, gnu::cold]] inline void refuse(std::initializer_list<Part> parts) {
  throw std::invalid_argument(joined(parts));
}

/// Throws std::invalid_argument with the message `parts...` unless `condition` holds.
/// Message: stage, rule, value, as in `require(k > 0, "Merge: k must be > 0, got ", k)`.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) refuse({Part(parts)...});
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

/// All factors are >= 0 and their product is within the range of Integer.
template <std::integral Integer>
[[nodiscard]] constexpr bool product_fits(std::initializer_list<Integer> factors) {
  Integer product = 1;
  bool fits = true;
  bool zero = false;
  for (const Integer factor : factors) {
    if (factor < 0) return false;
    zero = zero || factor == 0;
    if (factor == 0) continue;
    fits = fits && product <= std::numeric_limits<Integer>::max() / factor;
    if (fits) product *= factor;
  }
  return fits || zero;
}

/// `a * b` for a, b >= 0; an error that starts with `stage` when it leaves the range of Integer.
template <std::integral Integer>
[[nodiscard]] Integer checked_product(Integer a, Integer b, const char* stage) {
  require(product_fits({a, b}), stage, ": sizes must multiply without overflow, got ", a, " x ", b);
  return a * b;
}

/// A container handed over holds as many numbers as the product of `sides`, or the message `what`.
inline void require_count(const char* what, std::size_t count,
                          std::initializer_list<std::ptrdiff_t> sides) {
  std::ptrdiff_t needed = 1;
  const bool fits = product_fits(sides);
  for (const std::ptrdiff_t side : sides) needed = fits ? needed * side : -1;
  require(fits && static_cast<std::size_t>(needed) == count, what, " must be ", needed,
          " for the sizes given, got ", count);
}

/// Where a layer stands: for messages, as "layer 2 'down.0.attn1'".
struct LayerPlace {
  const std::string& name;    ///< its own; may be empty
  std::ptrdiff_t index = -1;  ///< among the layers of a call; -1: it is alone

  friend std::ostream& operator<<(std::ostream& out, const LayerPlace& place) {
    out << (place.index < 0 && place.name.empty() ? "the layer" : "layer");
    if (place.index >= 0) out << ' ' << place.index;
    if (!place.name.empty()) out << " '" << place.name << "'";
    return out;
  }
};

}  // namespace diffseg::detail
