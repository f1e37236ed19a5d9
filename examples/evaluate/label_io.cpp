// SPDX-License-Identifier: MIT
#include "label_io.hpp"

#include <png.h>

#include <algorithm>
#include <bit>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <diffseg/io/error.hpp>
#include <numeric>
#include <vector>

#include "files.hpp"
#include "text.hpp"

namespace cli {

using diffseg::Index;
using diffseg::Labels;

namespace {

using Span = std::span<const unsigned char>;
constexpr std::size_t signature = 8;
constexpr Index most_pixels = 100'000'000;

/// What libpng reads from, and what it complained of.
struct Source {
  Span rest;
  const char* error = "";
};

void give_bytes(png_structp png, png_bytep to, std::size_t count) {
  auto& source = *static_cast<Source*>(png_get_io_ptr(png));
  if (count > source.rest.size()) png_error(png, "it ends too early");
  std::memcpy(to, source.rest.data(), count);
  source.rest = source.rest.subspan(count);
}

[[noreturn]] void keep_error(png_structp png, png_const_charp text) {
  static_cast<Source*>(png_get_error_ptr(png))->error = text;
  png_longjmp(png, 1);
}

void pass_warning(png_structp /*png*/, png_const_charp /*text*/) {}

/// libpng's reader of a PNG. Each call into it is guarded: libpng leaves by longjmp, over frames
/// that hold nothing to be destroyed.
class PngReader {
 public:
  PngReader(Span bytes, const std::string& name) : name_(name), source_{bytes} {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, &keep_error, &pass_warning);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) throw std::bad_alloc();
    png_set_read_fn(png_, &source_, &give_bytes);
    guarded([](PngReader& self) { png_read_info(self.png_, self.info_); });
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  [[nodiscard]] Index width() const { return png_get_image_width(png_, info_); }
  [[nodiscard]] Index height() const { return png_get_image_height(png_, info_); }
  [[nodiscard]] int colour() const { return png_get_color_type(png_, info_); }
  [[nodiscard]] bool wide() const { return png_get_bit_depth(png_, info_) == 16; }

  /// [height x width] numbers of one byte, or of two in the machine's order where they are wide.
  std::vector<unsigned char> read() {
    guarded([](PngReader& self) {
      png_set_packing(self.png_);  // fewer bits: a byte each, as they are
      if (std::endian::native == std::endian::little && self.wide()) png_set_swap(self.png_);
      png_set_interlace_handling(self.png_);
      png_read_update_info(self.png_, self.info_);
    });
    const std::size_t row = png_get_rowbytes(png_, info_);
    pixels_.resize(row * static_cast<std::size_t>(height()));
    for (std::size_t begin = 0; begin < pixels_.size(); begin += row) {
      rows_.push_back(pixels_.data() + begin);
    }
    guarded([](PngReader& self) {
      png_read_image(self.png_, self.rows_.data());
      png_read_end(self.png_, nullptr);
    });
    return std::move(pixels_);
  }

 private:
  void guarded(void (*work)(PngReader&)) {
    // NOLINTNEXTLINE(cert-err52-cpp): the only way out that libpng has
    if (setjmp(png_jmpbuf(png_)) == 0) return work(*this);
    const std::string error = source_.error;
    png_destroy_read_struct(&png_, &info_, nullptr);
    throw diffseg::io_error(
        message(name_, ": is truncated or damaged (", error, "); copy or download it again"));
  }

  const std::string& name_;
  Source source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::vector<unsigned char> pixels_;
  std::vector<png_bytep> rows_;
};

template <class Number>
void copy_numbers(const std::vector<unsigned char>& bytes, std::vector<std::int32_t>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    Number number = 0;
    std::memcpy(&number, bytes.data() + i * sizeof number, sizeof number);
    values[i] = number;
  }
}

}  // namespace

Labels decode_labels(Span bytes, const std::string& name) {
  const auto refuse = [&](const auto&... reason) {
    throw diffseg::io_error(message(name, ": ", reason...));
  };
  if (bytes.size() < signature || png_sig_cmp(bytes.data(), 0, signature) != 0) {
    refuse("is no PNG; save the labels as one");
  }
  PngReader png(bytes, name);
  if (png.colour() != PNG_COLOR_TYPE_GRAY && png.colour() != PNG_COLOR_TYPE_PALETTE) {
    refuse("holds colours, not labels; save the labels as palette indices or grey values");
  }
  Labels labels;
  labels.size = {png.height(), png.width()};
  if (labels.size.cells() > most_pixels) {
    refuse("is too large (", png.width(), " x ", png.height(), "), at most ", most_pixels,
           " pixels are taken");
  }
  labels.values.resize(static_cast<std::size_t>(labels.size.cells()));
  const bool wide = png.wide();
  const std::vector<unsigned char> pixels = png.read();
  wide ? copy_numbers<std::uint16_t>(pixels, labels.values)
       : copy_numbers<std::uint8_t>(pixels, labels.values);
  const auto largest = *std::max_element(labels.values.begin(), labels.values.end());
  labels.proposals.resize(static_cast<std::size_t>(largest) + 1);
  std::iota(labels.proposals.begin(), labels.proposals.end(), 0);
  return labels;
}

Labels read_labels(const std::filesystem::path& path) {
  return decode_labels(read_file(path), path.string());
}

}  // namespace cli
