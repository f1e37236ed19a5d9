// SPDX-License-Identifier: MIT
// Deflated members of .npz files: NpzFile(path, inflate_zlib). Link to diffseg::npz, which brings
// zlib.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

#include <diffseg/io/detail/inflate.hpp>

namespace diffseg {

/// An Inflate by zlib. Throws std::bad_alloc where zlib has no memory.
[[nodiscard]] inline Inflated inflate_zlib(std::span<const std::byte> from,
                                           std::span<std::byte> to) {
  z_stream stream{};
  // Negative: without zlib's own front.
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  const auto piece = [](std::size_t bytes) {
    return static_cast<uInt>(std::min<std::size_t>(bytes, std::numeric_limits<uInt>::max()));
  };
  Inflated result;
  std::byte beyond{};
  std::size_t read = 0;
  int status = Z_OK;
  while (status == Z_OK && result.bytes <= to.size()) {
    const bool full = result.bytes == to.size();
    const uInt in = piece(from.size() - read);
    const uInt out = full ? 1 : piece(to.size() - result.bytes);
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(from.data() + read));
    stream.next_out = reinterpret_cast<Bytef*>(full ? &beyond : to.data() + result.bytes);
    stream.avail_in = in;
    stream.avail_out = out;
    status = inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in;
    result.bytes += out - stream.avail_out;
  }
  inflateEnd(&stream);
  if (status == Z_MEM_ERROR) throw std::bad_alloc();
  result.ended = status == Z_STREAM_END && read == from.size();
  return result;
}

}  // namespace diffseg
