// SPDX-License-Identifier: MIT
// Arrays of numbers in numpy's .npy files, versions 1.0 to 3.0.
#pragma once

#include <bit>
#include <filesystem>
#include <fstream>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>

#include <diffseg/io/detail/mapped_file.hpp>
#include <diffseg/io/detail/npy_tensor.hpp>
#include <diffseg/io/detail/tensor_layer.hpp>

namespace diffseg {

namespace detail {

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
    text += message(axis == 0 ? "" : " ", shape[axis], ",");
  }
  if (shape.size() > 1) text.pop_back();
  text += "), }";
  text.append(63 - (text.size() + 10) % 64, ' ').push_back('\n');
  const auto byte = [](std::size_t value) { return static_cast<char>(value & 255); };
  return std::string("\x93NUMPY\x01\0", 8) + byte(text.size()) + byte(text.size() >> 8) + text;
}

/// Removes a file unless it got its name.
struct Beside {
  std::filesystem::path path;
  bool kept = false;

  explicit Beside(std::filesystem::path beside) : path(std::move(beside)) {}
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  ~Beside() {
    std::error_code ignored;
    if (!kept) std::filesystem::remove(path, ignored);
  }
};

}  // namespace detail

/// The array in a whole .npy file that lies in memory.
/// Throws io_error naming file, field and remedy.
[[nodiscard]] inline Tensor parse_npy(const FileBytes& file) {
  return detail::npy_tensor(file);
}

/// The same, copied from `file`; `name` appears in messages.
[[nodiscard]] inline Tensor parse_npy(std::span<const std::byte> file, const std::string& name) {
  return parse_npy({name, file, nullptr});
}

/// The array in the .npy file at `path`, mapped where that is possible.
/// Throws io_error naming file, field and remedy.
[[nodiscard]] inline Tensor read_npy(const std::filesystem::path& path) {
  return parse_npy(map_file(path));
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
  for (const Index extent : shape) count = detail::checked_product(count, extent, "write_npy");
  detail::require(count == static_cast<Index>(values.size()), "write_npy: the shape must hold ",
                  values.size(), " values, got ", count);
  const std::string front = detail::npy_front(detail::npy_descr<T>(), shape);
  detail::Beside beside(std::filesystem::path(path) += ".tmp");
  std::ofstream file(beside.path, std::ios::binary);
  file << front;
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size_bytes()));
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(beside.path, path, error);
  beside.kept = file && !error;
  if (beside.kept) return;
  throw io_error(path.string() + ": file: cannot be written; check the folder and the free space");
}

}  // namespace diffseg
