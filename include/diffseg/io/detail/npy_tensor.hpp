// SPDX-License-Identifier: MIT
// The tensor in a .npy file, also in one that an archive holds.
#pragma once

#include <diffseg/io/detail/npy_header.hpp>
#include <diffseg/io/detail/tensor_bytes.hpp>

namespace diffseg::detail {

/// The type that `descr`, checked already, names.
inline NumberType npy_type(const std::string& descr) {
  const char width = descr[2];
  const auto pick = [&](NumberType one, NumberType two, NumberType four, NumberType eight) {
    return width == '1' ? one : width == '2' ? two : width == '4' ? four : eight;
  };
  using enum NumberType;
  switch (descr[1]) {
    case 'i':
      return pick(i8, i16, i32, i64);
    case 'u':
      return pick(u8, u16, u32, u64);
    case 'f':
      return pick(f16, f16, f32, f64);
    default:
      return boolean;
  }
}

/// The numbers of `file`, whose header is `header`.
inline Tensor npy_tensor(const NpyHeader& header, const FileBytes& file) {
  const char order = header.descr[0];
  NumberLayout layout{npy_type(header.descr), header.shape, std::endian::native,
                      header.fortran_order};
  if (order == '<') layout.order = std::endian::little;
  if (order == '>') layout.order = std::endian::big;
  const auto numbers = file.bytes.subspan(header.begin, header.bytes);
  return make_tensor(std::move(layout), {file.name, numbers, file.owner});
}

inline Tensor npy_tensor(const FileBytes& file) {
  const std::string_view text = text_of(file.bytes);
  return npy_tensor(read_npy_header(text, text.size(), file.name), file);
}

}  // namespace diffseg::detail
