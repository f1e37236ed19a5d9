// SPDX-License-Identifier: MIT
#include "webp.hpp"

#include <webp/decode.h>
#include <webp/demux.h>

#include <cstdint>
#include <diffseg/io/error.hpp>
#include <memory>
#include <new>

#include "exif.hpp"

namespace cli {

using diffseg::GridSize;
using diffseg::Index;

namespace {

using Span = std::span<const unsigned char>;

[[noreturn]] void refuse(const char* reason) {
  throw diffseg::io_error(reason);
}

void check_status(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OK:
      return;
    case VP8_STATUS_OUT_OF_MEMORY:
      throw std::bad_alloc();
    case VP8_STATUS_NOT_ENOUGH_DATA:
      refuse("is truncated (its end is missing); copy or download it again");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      refuse("cannot be decoded (an unknown kind of WebP); save it again");
    default:
      refuse("is damaged (its code contradicts itself); copy or download it again");
  }
}

/// Of the first EXIF chunk that tells one; the parts of the file must all be there.
int read_orientation(Span bytes) {
  const WebPData data{bytes.data(), bytes.size()};
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> parts(WebPDemux(&data),
                                                                       &WebPDemuxDelete);
  if (parts == nullptr) {
    refuse("is truncated or damaged (its parts are not all there); copy or download it again");
  }
  WebPChunkIterator chunk{};
  int orientation = 0;
  for (int more = WebPDemuxGetChunk(parts.get(), "EXIF", 1, &chunk); more != 0 && orientation == 0;
       more = WebPDemuxNextChunk(&chunk)) {
    orientation = exif_orientation({chunk.chunk.bytes, chunk.chunk.size}).value_or(0);
  }
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation == 0 ? 1 : orientation;
}

}  // namespace

Photo decode_webp(Span bytes, Index most) {
  WebPDecoderConfig config{};
  if (WebPInitDecoderConfig(&config) == 0)
    refuse("cannot be decoded (another libwebp was built with)");
  check_status(WebPGetFeatures(bytes.data(), bytes.size(), &config.input));
  if (config.input.has_animation != 0)
    refuse("is an animated WebP; save the frame that you mean as a still picture");
  const int orientation = read_orientation(bytes);
  const GridSize stored{config.input.height, config.input.width};
  check_stored_size(stored);
  const GridSize size = shrunk(stored, shrink_factor(stored, most));
  config.options.use_scaling = size == stored ? 0 : 1;
  config.options.scaled_height = static_cast<int>(size.height);
  config.options.scaled_width = static_cast<int>(size.width);
  const bool alpha = config.input.has_alpha != 0;
  config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
  const std::unique_ptr<WebPDecBuffer, decltype(&WebPFreeDecBuffer)> owner(&config.output,
                                                                           &WebPFreeDecBuffer);
  check_status(WebPDecode(bytes.data(), bytes.size(), &config));
  const Index samples = alpha ? 4 : 3;
  PhotoRows rows(size, samples, orientation);
  const WebPRGBABuffer& decoded = config.output.u.RGBA;
  for (Index y = 0; y < size.height; ++y) {
    rows.add(y, std::span<const std::uint8_t>(decoded.rgba + y * decoded.stride,
                                              static_cast<std::size_t>(size.width * samples)));
  }
  return {rows.take(), turned(stored, orientation)};
}

}  // namespace cli
