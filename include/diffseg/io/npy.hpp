// SPDX-License-Identifier: MIT
// Arrays of numbers in numpy's .npy files, versions 1.0 to 3.0.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <type_traits>

#include <diffseg/io/detail/npy_header.hpp>

namespace diffseg {

/// An array as a .npy file holds it.
struct NpyArray {
  std::string name;              ///< the file, for messages
  char kind = 'f';               ///< 'b' bool, 'i' signed, 'u' unsigned, 'f' floating point
  std::size_t item_bytes = 4;    ///< 1, 2, 4 or 8
  std::vector<Index> shape;      ///< extents; none: a single number
  std::vector<std::byte> bytes;  ///< the numbers, row-major, in the byte order of this machine

  [[nodiscard]] Index count() const { return static_cast<Index>(bytes.size() / item_bytes); }

  /// [count()] all numbers as T: rounded to a floating point T; an integer T takes integers only,
  /// and io_error says which number does not fit.
  template <class T>
  [[nodiscard]] std::vector<T> as() const;
};

namespace detail {

/// Numbers in column-major order -> row-major.
inline std::vector<std::byte> npy_row_major(const std::vector<std::byte>& from,
                                            const NpyHeader& header) {
  std::vector<std::byte> to(from.size());
  std::vector<Index> at(header.shape.size(), 0);
  for (std::size_t target = 0; target < to.size(); target += header.item) {
    Index source = 0;
    for (std::size_t axis = at.size(); axis-- > 0;) source = source * header.shape[axis] + at[axis];
    std::memcpy(&to[target], &from[static_cast<std::size_t>(source) * header.item], header.item);
    for (std::size_t axis = at.size(); axis-- > 0;) {
      if (++at[axis] < header.shape[axis]) break;
      at[axis] = 0;
    }
  }
  return to;
}

/// The bytes of a file's numbers, brought into this machine's order.
inline NpyArray finish_npy(const NpyHeader& header, std::vector<std::byte> bytes,
                           const std::string& name) {
  const char foreign = std::endian::native == std::endian::little ? '>' : '<';
  if (header.descr[0] == foreign) {
    for (std::size_t at = 0; at < bytes.size(); at += header.item) {
      std::reverse(bytes.data() + at, bytes.data() + at + header.item);
    }
  }
  if (header.fortran_order && header.shape.size() > 1) bytes = npy_row_major(bytes, header);
  return {name, header.descr[1], header.item, header.shape, std::move(bytes)};
}

/// visit(E{}) with the element type E of an array.
template <class Visit>
auto visit_npy_element(char kind, std::size_t bytes, const Visit& visit) {
  if (kind == 'f') return bytes == 2 ? visit(Eigen::half{}) : bytes == 4 ? visit(0.0F) : visit(0.0);
  const auto integer = [&](auto i1, auto i2, auto i4, auto i8) {
    return bytes == 1 ? visit(i1) : bytes == 2 ? visit(i2) : bytes == 4 ? visit(i4) : visit(i8);
  };
  if (kind == 'i') return integer(std::int8_t{}, std::int16_t{}, std::int32_t{}, std::int64_t{});
  return integer(std::uint8_t{}, std::uint16_t{}, std::uint32_t{}, std::uint64_t{});
}

template <class To, class From>
To convert_npy(From value, const std::string& name) {
  if constexpr (std::is_integral_v<To>) {
    if constexpr (std::is_integral_v<From>) {
      require_npy(std::in_range<To>(value), name, "payload: ", +value,
                  " does not fit the integer type asked for; read it as a wider one");
    } else {
      require_npy(false, name, "descr: floating point numbers are not read as integers");
    }
  }
  return static_cast<To>(value);
}

/// Byte order, kind and size of T as numpy writes them.
template <class T>
std::string npy_descr() {
  const char kind = std::is_same_v<T, bool>  ? 'b'
                    : !std::is_integral_v<T> ? 'f'
                    : std::is_signed_v<T>    ? 'i'
                                             : 'u';
  const char order = sizeof(T) == 1 ? '|' : std::endian::native == std::endian::little ? '<' : '>';
  return {order, kind, static_cast<char>('0' + sizeof(T))};
}

/// Everything before the numbers, padded so that they begin at a multiple of 64 bytes.
inline std::string npy_front(const std::string& descr, const std::vector<Index>& shape) {
  std::string text = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    text += (axis == 0 ? "" : " ") + std::to_string(shape[axis]) + ",";
  }
  if (shape.size() > 1) text.pop_back();
  text += "), }";
  text.append(63 - (text.size() + 10) % 64, ' ').push_back('\n');
  const auto byte = [](std::size_t value) { return static_cast<char>(value & 255); };
  return std::string("\x93NUMPY\x01\0", 8) + byte(text.size()) + byte(text.size() >> 8) + text;
}

}  // namespace detail

template <class T>
std::vector<T> NpyArray::as() const {
  return detail::visit_npy_element(kind, item_bytes, [&](auto element) {
    std::vector<T> values(static_cast<std::size_t>(count()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::memcpy(&element, &bytes[i * item_bytes], item_bytes);
      values[i] = detail::convert_npy<T>(element, name);
    }
    return values;
  });
}

/// The array in a whole .npy file that lies in memory; `name` appears in messages.
/// Throws io_error naming file, field and remedy.
[[nodiscard]] inline NpyArray parse_npy(std::span<const std::byte> file, const std::string& name) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const auto header = detail::read_npy_header(text, text.size(), name);
  const auto numbers = file.subspan(header.begin, header.bytes);
  return detail::finish_npy(header, {numbers.begin(), numbers.end()}, name);
}

/// The array in the .npy file at `path`. Throws io_error naming file, field and remedy.
[[nodiscard]] inline NpyArray read_npy(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  detail::require_npy(!error && file.is_open(), name,
                      "file: cannot be opened; check that it is a file and may be read");
  std::string front(
      static_cast<std::size_t>(std::min<std::uintmax_t>(size, detail::npy_header_limit)), '\0');
  file.read(front.data(), static_cast<std::streamsize>(front.size()));
  front.resize(static_cast<std::size_t>(file.gcount()));
  const auto header = detail::read_npy_header(front, size, name);
  std::vector<std::byte> numbers(header.bytes);
  file.clear();
  file.seekg(static_cast<std::streamoff>(header.begin));
  file.read(reinterpret_cast<char*>(numbers.data()), static_cast<std::streamsize>(header.bytes));
  detail::require_npy(file.good(), name, "payload: cannot be read; check the disk and try again");
  return detail::finish_npy(header, std::move(numbers), name);
}

/// Writes `values`, row-major with the extents `shape`, as the .npy file `path`: beside it first,
/// then renamed, so that no partial file appears. Throws io_error, std::invalid_argument when
/// `values` does not fill `shape`.
template <class T>
requires(std::is_arithmetic_v<T> && sizeof(T) <= 8) ||
    std::is_same_v<T, Eigen::half> void write_npy(const std::filesystem::path& path,
                                                  const std::vector<Index>& shape,
                                                  std::span<const T> values) {
  Index count = 1;
  for (const Index extent : shape) count = checked_product(count, extent, "write_npy");
  require(count == static_cast<Index>(values.size()), "write_npy: the shape must hold ",
          values.size(), " values, got ", count);
  std::filesystem::path beside = path;
  beside += ".tmp";
  std::ofstream file(beside, std::ios::binary);
  file << detail::npy_front(detail::npy_descr<T>(), shape);
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size_bytes()));
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(beside, path, error);
  if (file && !error) return;
  std::filesystem::remove(beside, error);
  throw io_error(path.string() + ": file: cannot be written; check the folder and the free space");
}

}  // namespace diffseg
