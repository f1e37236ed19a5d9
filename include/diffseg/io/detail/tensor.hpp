// SPDX-License-Identifier: MIT
// What every file format of this folder gives: a tensor of numbers.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include <diffseg/core/types.hpp>
#include <diffseg/io/detail/file_bytes.hpp>

namespace diffseg {

/// How the numbers of a Tensor are stored.
enum class NumberType { boolean, i8, i16, i32, i64, u8, u16, u32, u64, f16, bf16, f32, f64 };

namespace detail {

/// visit(E{}) with the C++ type of a number; bool is a byte, 0 or 1.
template <class Visit>
constexpr auto visit_number(NumberType type, const Visit& visit) {
  switch (type) {
    case NumberType::i8:
      return visit(std::int8_t{});
    case NumberType::i16:
      return visit(std::int16_t{});
    case NumberType::i32:
      return visit(std::int32_t{});
    case NumberType::i64:
      return visit(std::int64_t{});
    case NumberType::u16:
      return visit(std::uint16_t{});
    case NumberType::u32:
      return visit(std::uint32_t{});
    case NumberType::u64:
      return visit(std::uint64_t{});
    case NumberType::f16:
      return visit(Eigen::half{});
    case NumberType::bf16:
      return visit(Eigen::bfloat16{});
    case NumberType::f32:
      return visit(float{});
    case NumberType::f64:
      return visit(double{});
    case NumberType::boolean:
    case NumberType::u8:
      break;
  }
  return visit(std::uint8_t{});
}

/// A stored number as To; what an integer type cannot hold is refused.
template <class To, class From>
To convert_number(From value, const std::string& name) {
  constexpr bool is_half = sizeof(From) == 2 && !std::is_integral_v<From>;
  if constexpr (std::is_integral_v<To> && std::is_integral_v<From>) {
    require_io(std::in_range<To>(value), name, "payload: ", +value,
               " does not fit the integer type asked for; read it as a wider one");
  } else if constexpr (std::is_integral_v<To>) {
    require_io(false, name, "type: floating point numbers are not read as integers");
  }
  if constexpr (std::is_same_v<To, From>) {
    return value;  // every bit of it, NaN or not
  } else if constexpr (is_half) {
    return static_cast<To>(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace detail

/// Bytes that one number takes.
[[nodiscard]] constexpr std::size_t number_bytes(NumberType type) {
  return detail::visit_number(type, [](auto number) { return sizeof(number); });
}

/// Numbers out of a file; copies share them. Where the file is mapped and holds them row-major, in
/// the byte order of this machine, they are the file's own bytes, at any address, else a copy.
struct Tensor {
  std::string name;  ///< file and member, for messages
  NumberType type = NumberType::f32;
  std::vector<Index> shape;           ///< extents; none: a single number
  std::span<const std::byte> bytes;   ///< row-major, this machine's byte order, not always aligned
  std::shared_ptr<const void> owner;  ///< keeps `bytes` alive

  [[nodiscard]] Index count() const {
    return static_cast<Index>(bytes.size() / number_bytes(type));
  }

  /// [count()] all numbers as T: rounded to a floating point T; an integer T takes integers only,
  /// and io_error says which number does not fit.
  template <class T>
  [[nodiscard]] std::vector<T> as() const {
    return detail::visit_number(type, [&](auto number) {
      std::vector<T> values(static_cast<std::size_t>(count()));
      for (std::size_t i = 0; i < values.size(); ++i) {
        std::memcpy(static_cast<void*>(&number), bytes.data() + i * sizeof(number), sizeof(number));
        values[i] = detail::convert_number<T>(number, name);
      }
      return values;
    });
  }
};

}  // namespace diffseg
