// SPDX-License-Identifier: MIT
#include "jpeg_io.hpp"

#include <diffseg/core/check.hpp>

#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace cli {

Bytes encode_colour_jpeg(diffseg::GridSize size, const Bytes& pixels) {
  diffseg::detail::require(size.height <= longest_jpeg_side && size.width <= longest_jpeg_side,
                           "encode_colour_jpeg: sides must be at most ", longest_jpeg_side,
                           ", got ", size.height, " x ", size.width);
  Bytes bytes;
  const auto append = [](void* context, void* data, int count) {
    const auto* const begin = static_cast<const unsigned char*>(data);
    auto& out = *static_cast<Bytes*>(context);
    out.insert(out.end(), begin, begin + count);
  };
  stbi_write_jpg_to_func(append, &bytes, static_cast<int>(size.width),
                         static_cast<int>(size.height), 3, pixels.data(), 90);
  return bytes;
}

}  // namespace cli
