// SPDX-License-Identifier: MIT
// From numbers as a file has them to a Tensor: in place where they can be used so, else copied into
// this machine's byte order and rows.
#pragma once

#include <algorithm>
#include <bit>

#include <diffseg/core/large_pages.hpp>
#include <diffseg/core/parallel.hpp>
#include <diffseg/io/detail/tensor.hpp>

namespace diffseg::detail {

/// How a file lays a tensor's numbers out.
struct NumberLayout {
  NumberType type = NumberType::f32;
  std::vector<Index> shape;
  std::endian order = std::endian::little;
  bool column_major = false;  ///< the first axis is the dense one
};

/// to[i * to_stride + j] = from[j * from_stride + i] for i < rows, j < columns, in items of Bytes
/// bytes; tile by tile, because one side of it jumps.
template <std::size_t Bytes>
void transpose_items(const std::byte* from, std::size_t from_stride, std::byte* to,
                     std::size_t to_stride, std::size_t rows, std::size_t columns) {
  constexpr std::size_t tile = 64 / Bytes;
  for (std::size_t row = 0; row < rows; row += tile) {
    for (std::size_t column = 0; column < columns; column += tile) {
      for (std::size_t i = row; i < std::min(row + tile, rows); ++i) {
        for (std::size_t j = column; j < std::min(column + tile, columns); ++j) {
          std::memcpy(to + (i * to_stride + j) * Bytes, from + (j * from_stride + i) * Bytes,
                      Bytes);
        }
      }
    }
  }
}

/// Column-major items -> row-major ones; `shape` has two extents or more and none is 0. For every
/// index of the axes in between, the first and the last are a matrix to transpose.
template <std::size_t Bytes>
void items_to_rows(const std::byte* from, std::byte* to, const std::vector<Index>& shape) {
  const std::size_t axes = shape.size();
  std::vector<std::size_t> extents(axes);
  std::vector<std::size_t> from_strides(axes, 1);
  std::vector<std::size_t> to_strides(axes, 1);
  for (std::size_t i = 0; i < axes; ++i) extents[i] = static_cast<std::size_t>(shape[i]);
  for (std::size_t i = 1; i < axes; ++i) {
    from_strides[i] = from_strides[i - 1] * extents[i - 1];
    to_strides[axes - 1 - i] = to_strides[axes - i] * extents[axes - i];
  }
  const std::size_t last = axes - 1;
  std::vector<std::size_t> at(axes, 0);
  for (std::size_t axis = 1; axis > 0;) {
    std::size_t source = 0;
    std::size_t target = 0;
    for (std::size_t i = 1; i < last; ++i) {
      source += at[i] * from_strides[i];
      target += at[i] * to_strides[i];
    }
    transpose_items<Bytes>(from + source * Bytes, from_strides[last], to + target * Bytes,
                           to_strides[0], extents[0], extents[last]);
    for (axis = last - 1; axis > 0 && ++at[axis] == extents[axis]; --axis) at[axis] = 0;
  }
}

/// So many bytes, unset.
inline std::shared_ptr<std::byte[]> new_bytes(std::size_t count) {
  std::shared_ptr<std::byte[]> bytes(new std::byte[count]);
  prefer_large_pages(bytes.get(), count);
  return bytes;
}

/// Copies in pieces on all threads: the first touch of new memory takes longer than the copy.
inline void copy_bytes(std::span<const std::byte> from, std::byte* to) {
  constexpr std::size_t piece = std::size_t{2} << 20;
  parallel_for(static_cast<Index>((from.size() + piece - 1) / piece), [&](Index i) {
    const std::size_t begin = static_cast<std::size_t>(i) * piece;
    std::memcpy(to + begin, from.data() + begin, std::min(piece, from.size() - begin));
  });
}

/// The items of `layout` at `from`, copied to `to` in row-major order.
template <std::size_t Bytes>
void copy_rows(const NumberLayout& layout, std::span<const std::byte> from, std::byte* to) {
  if (from.empty()) return;
  if (layout.column_major && layout.shape.size() > 1) {
    items_to_rows<Bytes>(from.data(), to, layout.shape);
  } else {
    copy_bytes(from, to);
  }
  if (layout.order == std::endian::native) return;
  for (std::size_t at = 0; at < from.size(); at += Bytes) std::reverse(to + at, to + at + Bytes);
}

/// A tensor of the numbers in `source`, exactly as many as the layout says.
inline Tensor make_tensor(NumberLayout layout, const FileBytes& source) {
  const std::size_t item = number_bytes(layout.type);
  const bool in_place = (layout.order == std::endian::native || item == 1) &&
                        (!layout.column_major || layout.shape.size() < 2);
  if (source.owner != nullptr && in_place) {
    return {source.name, layout.type, std::move(layout.shape), source.bytes, source.owner};
  }
  const std::size_t size = source.bytes.size();
  auto copy = new_bytes(size);
  const auto rows = item == 1   ? &copy_rows<1>
                    : item == 2 ? &copy_rows<2>
                    : item == 4 ? &copy_rows<4>
                                : &copy_rows<8>;
  rows(layout, source.bytes, copy.get());
  const std::span<const std::byte> bytes(copy.get(), size);
  return {source.name, layout.type, std::move(layout.shape), bytes, std::move(copy)};
}

}  // namespace diffseg::detail
