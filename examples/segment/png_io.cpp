// SPDX-License-Identifier: MIT
#include "png_io.hpp"

#include <png.h>
#include <zlib.h>

#include <bit>
#include <exception>
#include <new>
#include <span>

#include "guarded.hpp"

namespace cli {

using diffseg::GridSize;
using diffseg::Index;

namespace {

/// What a PNG holds, and how it is best squeezed.
struct PngKind {
  int bits;
  int colour_type;
  int filters;
  int level;
  int strategy;
};

/// One picture being written by libpng.
class Writer {
 public:
  Writer() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, &on_error, &on_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ != nullptr) return;
    png_destroy_write_struct(&png_, &info_);
    throw std::bad_alloc();
  }
  ~Writer() { png_destroy_write_struct(&png_, &info_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// `row(y)` points to the bytes of a row.
  template <class Row>
  Bytes encode(GridSize size, const PngKind& kind, std::span<const png_color> palette,
               const Row& row) {
    start(size, kind, palette);
    for (Index y = 0; y < size.height; ++y) {
      const unsigned char* const bytes = row(y);
      guard_([&] { png_write_row(png_, bytes); });
    }
    guard_([&] { png_write_end(png_, info_); });
    return std::move(bytes_);
  }

 private:
  static void on_error(png_structp png, const char* reason) {
    Writer& writer = *static_cast<Writer*>(png_get_error_ptr(png));
    if (is_about_memory(reason)) writer.guard_.fail_for_memory();
    writer.guard_.fail("cannot be encoded", reason, "try another --format");
  }
  static void on_warning(png_structp /*png*/, const char* /*reason*/) {}  // libpng would print it
  static void on_write(png_structp png, png_bytep data, std::size_t count) {
    auto& bytes = static_cast<Writer*>(png_get_io_ptr(png))->bytes_;
    try {
      bytes.insert(bytes.end(), data, data + count);
      return;
    } catch (const std::exception&) {  // must not pass through the library
    }
    static_cast<Writer*>(png_get_io_ptr(png))->guard_.fail_for_memory();
  }

  void start(GridSize size, const PngKind& kind, std::span<const png_color> palette) {
    guard_([&] {
      png_set_write_fn(png_, this, &on_write, nullptr);
      png_set_IHDR(png_, info_, static_cast<png_uint_32>(size.width),
                   static_cast<png_uint_32>(size.height), kind.bits, kind.colour_type,
                   PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
      if (!palette.empty())
        png_set_PLTE(png_, info_, palette.data(), static_cast<int>(palette.size()));
      png_set_filter(png_, PNG_FILTER_TYPE_BASE, kind.filters);
      png_set_compression_level(png_, kind.level);
      png_set_compression_strategy(png_, kind.strategy);
      png_set_compression_buffer_size(png_, std::size_t{1} << 18U);
      png_write_info(png_, info_);
      if constexpr (std::endian::native == std::endian::little) png_set_swap(png_);
    });
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  Bytes bytes_;
  Guard guard_;
};

/// The rows of labels as `Sample`s.
template <class Sample>
Bytes encode_ids(const diffseg::Labels& labels, const PngKind& kind,
                 std::span<const png_color> palette) {
  std::vector<Sample> row(static_cast<std::size_t>(labels.size.width));
  return Writer().encode(labels.size, kind, palette, [&](Index y) {
    const std::int32_t* const from = labels.values.data() + y * labels.size.width;
    for (std::size_t x = 0; x < row.size(); ++x) row[x] = static_cast<Sample>(from[x]);
    return reinterpret_cast<const unsigned char*>(row.data());
  });
}

}  // namespace

Bytes encode_label_png(const diffseg::Labels& labels, const std::vector<Colour>& palette) {
  // Less the row above, nearly all is zero: runs find as much as a search for repetitions, sooner.
  constexpr PngKind deep{16, PNG_COLOR_TYPE_GRAY, PNG_FILTER_UP, 1, Z_RLE};
  constexpr PngKind shallow{8, PNG_COLOR_TYPE_PALETTE, PNG_FILTER_UP, 1, Z_RLE};
  if (labels.count() > 256) return encode_ids<std::uint16_t>(labels, deep, {});
  std::vector<png_color> colours;
  for (Index id = 0; id < labels.count(); ++id) {
    const Colour& colour = palette.at(static_cast<std::size_t>(id));
    colours.push_back({colour[0], colour[1], colour[2]});
  }
  return encode_ids<std::uint8_t>(labels, shallow, colours);
}

Bytes encode_colour_png(GridSize size, const Bytes& pixels) {
  // Higher levels take twice as long for a tenth less.
  constexpr PngKind kind{8, PNG_COLOR_TYPE_RGB, PNG_FILTER_UP, 2, Z_DEFAULT_STRATEGY};
  return Writer().encode(size, kind, {}, [&](Index y) {
    return reinterpret_cast<const unsigned char*>(pixels.data() + y * size.width * 3);
  });
}

}  // namespace cli
