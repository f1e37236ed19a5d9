// SPDX-License-Identifier: MIT
#include "jpeg.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <diffseg/io/error.hpp>
#include <limits>

#include <jpeglib.h>
// After jpeglib.h, which it needs.
#include <jerror.h>

#include "exif.hpp"
#include "guarded.hpp"
#include "text.hpp"

namespace cli {

using diffseg::GridSize;
using diffseg::Index;

namespace {

using Span = std::span<const unsigned char>;

/// Bytes that the decoder may keep of a picture in several scans, whose coefficients it holds all.
constexpr Index most_coefficient_bytes = 1'600'000'000;
/// No encoder makes more, each of them costs a pass over the picture.
constexpr int most_scans = 500;
/// Bytes that these passes may go over in all: 20 over the largest picture, 500 over 32 MB.
constexpr Index most_passed_bytes = 20 * most_coefficient_bytes;

/// One picture being read by libjpeg.
class Decoder {
 public:
  explicit Decoder(Span bytes) : Decoder() {  // which is destroyed if this fails half-way
    bytes_ = bytes;
    guard_([&] { jpeg_create_decompress(&info_); });
    info_.progress = &progress_;
  }
  ~Decoder() { jpeg_destroy_decompress(&info_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  Photo decode(Index most) {
    read_header();
    const GridSize stored{info_.image_height, info_.image_width};
    check_stored_size(stored);
    check_plausible(stored);
    check_coefficients();
    choose_output(most);
    const int orientation = find_orientation();
    return {read_rows(orientation), turned(stored, orientation)};
  }

 private:
  Decoder() {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = &on_error;
    errors_.emit_message = &on_message;
    progress_.progress_monitor = &on_progress;
  }

  static Decoder& of(j_common_ptr info) { return *static_cast<Decoder*>(info->client_data); }
  static void on_error(j_common_ptr info);
  static void on_message(j_common_ptr info, int level);
  static void on_progress(j_common_ptr info);
  [[noreturn]] void fail(const char* what, const char* remedy);
  [[nodiscard]] bool loses_data() const;

  void read_header();
  void check_plausible(GridSize stored) const;
  void check_coefficients();
  void choose_output(Index most);
  [[nodiscard]] int find_orientation() const;
  diffseg::Image<float> read_rows(int orientation);

  Span bytes_;
  Index coefficient_bytes_ = 0;  // of a picture in several scans
  jpeg_decompress_struct info_ = {};
  jpeg_error_mgr errors_ = {};
  jpeg_progress_mgr progress_ = {};
  Guard guard_;
};

void Decoder::fail(const char* what, const char* remedy) {
  std::array<char, JMSG_LENGTH_MAX> text{};
  errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), text.data());
  guard_.fail(what, text.data(), remedy);
}

void Decoder::on_error(j_common_ptr info) {
  if (info->err->msg_code == JERR_OUT_OF_MEMORY) of(info).guard_.fail_for_memory();
  of(info).fail("cannot be decoded", "copy it again, or save it again as an ordinary JPEG");
}

/// Whether what libjpeg is warning of costs a part of the picture.
bool Decoder::loses_data() const {
  switch (errors_.msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      return true;
    case JWRN_EXTRANEOUS_DATA:  // cameras pad what is in front of other markers than a restart
      return errors_.msg_parm.i[1] >= JPEG_RST0 && errors_.msg_parm.i[1] < JPEG_RST0 + 8;
    default:
      return false;
  }
}

void Decoder::on_message(j_common_ptr info, int level) {
  Decoder& decoder = of(info);
  if (level >= 0 || !decoder.loses_data()) return;
  const bool cut = decoder.errors_.msg_code == JWRN_JPEG_EOF;
  decoder.fail(cut ? "is truncated" : "is damaged", copy_again);
}

void Decoder::on_progress(j_common_ptr info) {
  Decoder& decoder = of(info);
  const int scans = decoder.info_.input_scan_number;
  if (scans > most_scans || scans > most_passed_bytes / (decoder.coefficient_bytes_ + 1))
    decoder.guard_.fail("cannot be decoded", "too many scans for its size", "save it again");
}

void Decoder::read_header() {
  guard_([&] {
    jpeg_mem_src(&info_, bytes_.data(), static_cast<unsigned long>(bytes_.size()));
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&info_, TRUE);
  });
}

/// Every block of a picture takes a bit at least; asked before memory is. Arithmetic code, which
/// nearly nobody writes, may say anything in no bytes at all.
void Decoder::check_plausible(GridSize stored) const {
  const Index unit = Index{64} * info_.max_h_samp_factor * info_.max_v_samp_factor;
  if (info_.arith_code && stored.cells() > max_pixels) {
    throw diffseg::io_error(message("is too large for an arithmetic-coded JPEG (", stored.height,
                                    " x ", stored.width, " pixels), at most ", max_pixels,
                                    " are taken; save it as a baseline JPEG"));
  }
  if (info_.arith_code || stored.cells() / unit <= 8 * static_cast<Index>(bytes_.size())) return;
  throw diffseg::io_error(message("is truncated or damaged (", bytes_.size(), " bytes cannot hold ",
                                  stored.height, " x ", stored.width, " pixels); ", copy_again));
}

void Decoder::check_coefficients() {
  if (!jpeg_has_multiple_scans(&info_)) return;
  for (int c = 0; c < info_.num_components; ++c) {
    const jpeg_component_info& component = info_.comp_info[c];
    coefficient_bytes_ += Index{component.width_in_blocks} * component.height_in_blocks * DCTSIZE2 *
                          static_cast<Index>(sizeof(JCOEF));
  }
  if (coefficient_bytes_ <= most_coefficient_bytes) return;
  throw diffseg::io_error(message("is too large for a progressive JPEG (", info_.image_height,
                                  " x ", info_.image_width, " pixels take ", coefficient_bytes_,
                                  " bytes while decoding, at most ", most_coefficient_bytes,
                                  "); save it as a baseline JPEG, or scale it down first"));
}

void Decoder::choose_output(Index most) {
  guard_([&] {
    if (info_.num_components == 4) info_.out_color_space = JCS_CMYK;
    info_.scale_denom = DCTSIZE;
    info_.scale_num = DCTSIZE;
    jpeg_calc_output_dimensions(&info_);
    while (Index{info_.output_width} * info_.output_height > most && info_.scale_num > 1) {
      --info_.scale_num;
      jpeg_calc_output_dimensions(&info_);
    }
  });
  if (info_.out_color_space == JCS_GRAYSCALE || info_.out_color_space == JCS_RGB ||
      info_.out_color_space == JCS_CMYK) {
    return;
  }
  throw diffseg::io_error(message("has ", info_.num_components,
                                  " components of unknown meaning; save it again in RGB"));
}

/// The first record that tells one.
int Decoder::find_orientation() const {
  for (const auto* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
    const Span record(marker->data, marker->data_length);
    if (!is_exif(record)) continue;
    if (const auto orientation = exif_orientation(record)) return *orientation;
  }
  return 1;
}

/// CMYK as every writer stores it, inverted: ink by black, over white.
void cmyk_to_rgb(std::span<unsigned char> row) {
  unsigned char* to = row.data();
  for (std::size_t i = 0; i < row.size(); i += 4, to += 3) {
    const unsigned black = row[i + 3];
    for (std::size_t c = 0; c < 3; ++c)
      to[c] = static_cast<unsigned char>((row[i + c] * black + 127U) / 255U);
  }
}

diffseg::Image<float> Decoder::read_rows(int orientation) {
  guard_([&] { jpeg_start_decompress(&info_); });
  const bool cmyk = info_.out_color_space == JCS_CMYK;
  const std::size_t width = info_.output_width;
  const std::size_t samples = cmyk ? 3 : static_cast<std::size_t>(info_.output_components);
  std::vector<unsigned char> row(width * static_cast<std::size_t>(info_.output_components));
  PhotoRows rows({info_.output_height, info_.output_width}, static_cast<Index>(samples),
                 orientation);
  for (Index y = 0; y < Index{info_.output_height}; ++y) {
    guard_([&] {
      JSAMPROW begin = row.data();
      jpeg_read_scanlines(&info_, &begin, 1);
    });
    if (cmyk) cmyk_to_rgb(row);
    rows.add(y, std::span<const unsigned char>(row.data(), width * samples));
  }
  guard_([&] { jpeg_finish_decompress(&info_); });
  return rows.take();
}

}  // namespace

Photo decode_jpeg(Span bytes, Index most) {
  Decoder decoder(bytes);
  return decoder.decode(most);
}

}  // namespace cli
