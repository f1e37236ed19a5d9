// SPDX-License-Identifier: MIT
#include "jpeg_io.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <diffseg/core/check.hpp>
#include <exception>
#include <utility>

#include <jpeglib.h>
// After jpeglib.h, which it needs.
#include <jerror.h>

#include "guarded.hpp"

namespace cli {

using diffseg::GridSize;
using diffseg::Index;

namespace {

constexpr int quality = 90;

/// One picture being written by libjpeg, into memory of our own: its jpeg_mem_dest loses track of
/// what it has freed where it cannot grow.
class Encoder {
 public:
  explicit Encoder(GridSize size) : Encoder() {  // which is destroyed if this fails half-way
    size_ = size;
    guard_([&] { jpeg_create_compress(&info_); });
    info_.dest = &destination_;
  }
  ~Encoder() { jpeg_destroy_compress(&info_); }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  Bytes encode(const Bytes& pixels) {
    guard_([&] {
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
    bytes_.resize(bytes_.size() - destination_.free_in_buffer);
    return std::move(bytes_);
  }

 private:
  Encoder() {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = &on_error;
    destination_.init_destination = &grow;
    destination_.empty_output_buffer = [](j_compress_ptr info) -> boolean {
      grow(info);
      return TRUE;
    };
    destination_.term_destination = [](j_compress_ptr) {};
  }

  static Encoder& of(void* encoder) { return *static_cast<Encoder*>(encoder); }

  /// Room for as much again as there is.
  static void grow(j_compress_ptr info) {
    Encoder& encoder = of(info->client_data);
    const std::size_t filled = encoder.bytes_.size();
    try {
      encoder.bytes_.resize(std::max<std::size_t>(1U << 14U, 2 * filled));
    } catch (const std::exception&) {  // must not pass through the library
    }
    if (encoder.bytes_.size() == filled) encoder.guard_.fail_for_memory();
    encoder.destination_.next_output_byte = encoder.bytes_.data() + filled;
    encoder.destination_.free_in_buffer = encoder.bytes_.size() - filled;
  }

  static void on_error(j_common_ptr info) {
    if (info->err->msg_code == JERR_OUT_OF_MEMORY) of(info->client_data).guard_.fail_for_memory();
    std::array<char, JMSG_LENGTH_MAX> text{};
    info->err->format_message(info, text.data());
    of(info->client_data).guard_.fail("cannot be encoded", text.data(), "write it as a PNG");
  }

  GridSize size_;
  jpeg_compress_struct info_ = {};
  jpeg_error_mgr errors_ = {};
  jpeg_destination_mgr destination_ = {};
  Bytes bytes_;
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
