// SPDX-License-Identifier: MIT
#include "jpeg_io.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <diffseg/core/check.hpp>
#include <memory>

#include <jpeglib.h>

#include "guarded.hpp"

namespace cli {

using diffseg::GridSize;
using diffseg::Index;

namespace {

constexpr int quality = 90;

/// One picture being written by libjpeg.
class Encoder {
 public:
  explicit Encoder(GridSize size) : size_(size) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = &on_error;
    guard_([&] { jpeg_create_compress(&info_); });
  }
  ~Encoder() {
    jpeg_destroy_compress(&info_);
    std::free(written_);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  Bytes encode(const Bytes& pixels) {
    guard_([&] {
      jpeg_mem_dest(&info_, &written_, &count_);
      info_.image_height = static_cast<JDIMENSION>(size_.height);
      info_.image_width = static_cast<JDIMENSION>(size_.width);
      info_.input_components = 3;
      info_.in_color_space = JCS_RGB;
      jpeg_set_defaults(&info_);
      jpeg_set_quality(&info_, quality, TRUE);
      jpeg_start_compress(&info_, TRUE);
      for (Index y = 0; y < size_.height; ++y) {
        // The interface asks for rows that may be written, and writes none.
        JSAMPROW row = const_cast<JSAMPROW>(pixels.data() + y * size_.width * 3);
        jpeg_write_scanlines(&info_, &row, 1);
      }
      jpeg_finish_compress(&info_);
    });
    return {written_, written_ + count_};
  }

 private:
  static void on_error(j_common_ptr info) {
    std::array<char, JMSG_LENGTH_MAX> text{};
    info->err->format_message(info, text.data());
    static_cast<Encoder*>(info->client_data)
        ->guard_.fail("cannot be encoded", text.data(), "write it as a PNG");
  }

  GridSize size_;
  jpeg_compress_struct info_ = {};
  jpeg_error_mgr errors_ = {};
  unsigned char* written_ = nullptr;
  unsigned long count_ = 0;
  Guard guard_;
};

}  // namespace

Bytes encode_colour_jpeg(GridSize size, const Bytes& pixels) {
  diffseg::detail::require(size.height <= longest_jpeg_side && size.width <= longest_jpeg_side,
                           "encode_colour_jpeg: sides must be at most ", longest_jpeg_side,
                           ", got ", size.height, " x ", size.width);
  return Encoder(size).encode(pixels);
}

}  // namespace cli
