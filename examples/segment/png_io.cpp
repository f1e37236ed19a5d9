// SPDX-License-Identifier: MIT
#include "png_io.hpp"

#include <diffseg/io/crc32.hpp>
#include <memory>
#include <string_view>

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace cli {

using diffseg::GridSize;
using diffseg::Index;

namespace {

enum class PngColour : unsigned char { grey = 0, rgb = 2, palette = 3 };

void append_number(Bytes& out, std::uint32_t value) {
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    out.push_back(static_cast<unsigned char>(value >> shift));
  }
}

void append_chunk(Bytes& out, std::string_view name, const Bytes& data) {
  append_number(out, static_cast<std::uint32_t>(data.size()));
  const std::size_t begin = out.size();
  out.insert(out.end(), name.begin(), name.end());
  out.insert(out.end(), data.begin(), data.end());
  append_number(out, diffseg::detail::crc32(std::as_bytes(std::span(out).subspan(begin))));
}

Bytes compress(Bytes& raw) {
  int size = 0;
  const std::unique_ptr<unsigned char, decltype(&std::free)> compressed(
      stbi_zlib_compress(raw.data(), static_cast<int>(raw.size()), &size, 5), &std::free);
  if (compressed == nullptr) throw std::bad_alloc();
  return {compressed.get(), compressed.get() + size};
}

/// `scanlines`: rows of the picture, each behind its filter byte.
Bytes encode_png(GridSize size, unsigned char bits, PngColour colour, const Bytes& palette,
                 Bytes scanlines) {
  Bytes header;
  append_number(header, static_cast<std::uint32_t>(size.width));
  append_number(header, static_cast<std::uint32_t>(size.height));
  header.insert(header.end(), {bits, static_cast<unsigned char>(colour), 0, 0, 0});
  Bytes png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  append_chunk(png, "IHDR", header);
  if (!palette.empty()) append_chunk(png, "PLTE", palette);
  append_chunk(png, "IDAT", compress(scanlines));
  append_chunk(png, "IEND", {});
  return png;
}

}  // namespace

Bytes encode_label_png(const diffseg::Labels& labels, const std::vector<Colour>& palette) {
  const bool deep = labels.count() > 256;
  Bytes scanlines;
  scanlines.reserve(labels.values.size() * (deep ? 2 : 1) +
                    static_cast<std::size_t>(labels.size.height));
  const std::int32_t* label = labels.values.data();
  for (Index y = 0; y < labels.size.height; ++y) {
    scanlines.push_back(0);
    for (Index x = 0; x < labels.size.width; ++x, ++label) {
      if (deep) scanlines.push_back(static_cast<unsigned char>(*label >> 8));
      scanlines.push_back(static_cast<unsigned char>(*label & 0xff));
    }
  }
  Bytes colours;
  for (Index id = 0; !deep && id < labels.count(); ++id) {
    const Colour& colour = palette.at(static_cast<std::size_t>(id));
    colours.insert(colours.end(), colour.begin(), colour.end());
  }
  return deep ? encode_png(labels.size, 16, PngColour::grey, {}, std::move(scanlines))
              : encode_png(labels.size, 8, PngColour::palette, colours, std::move(scanlines));
}

Bytes encode_colour_png(GridSize size, const Bytes& pixels) {
  // Each byte minus its left neighbour's: photos shrink by a third against unfiltered rows.
  constexpr unsigned char filter_left = 1;
  const auto row_bytes = static_cast<std::size_t>(size.width) * 3;
  Bytes scanlines;
  scanlines.reserve(pixels.size() + static_cast<std::size_t>(size.height));
  for (std::size_t begin = 0; begin < pixels.size(); begin += row_bytes) {
    scanlines.push_back(filter_left);
    for (std::size_t i = 0; i < row_bytes; ++i) {
      const unsigned char left = i < 3 ? 0 : pixels[begin + i - 3];
      scanlines.push_back(static_cast<unsigned char>(pixels[begin + i] - left));
    }
  }
  return encode_png(size, 8, PngColour::rgb, {}, std::move(scanlines));
}

}  // namespace cli
