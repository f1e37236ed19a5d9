// SPDX-License-Identifier: MIT
#include "png.hpp"

#include <png.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <diffseg/io/error.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "exif.hpp"
#include "guarded.hpp"
#include "text.hpp"

namespace cli {

using diffseg::GridSize;
using diffseg::Index;

namespace {

using Span = std::span<const unsigned char>;

/// What deflate can make of a byte at most.
constexpr Index most_inflation = 1032;

/// Chunks beside the picture that are kept; of others nobody hears.
constexpr png_uint_32 most_kept_chunks = 64;

/// Rows of one of the seven pictures that an interlaced PNG is sent in; of a plain one all rows.
struct Pass {
  Index first_row = 0;
  Index row_step = 1;
  Index first_column = 0;
  Index column_step = 1;
  GridSize size;
};

/// One picture being read by libpng.
class Reader {
 public:
  explicit Reader(Span bytes) : bytes_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &on_error, &on_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ != nullptr) end_ = png_create_info_struct(png_);
    if (end_ == nullptr) {
      png_destroy_read_struct(&png_, &info_, &end_);
      throw std::bad_alloc();
    }
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, &end_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Comes first.
  void read_header();

  [[nodiscard]] GridSize size() const {
    return {png_get_image_height(png_, info_), png_get_image_width(png_, info_)};
  }
  [[nodiscard]] int bits() const { return png_get_bit_depth(png_, info_); }
  [[nodiscard]] int colour_type() const { return png_get_color_type(png_, info_); }
  [[nodiscard]] Index samples() const { return png_get_channels(png_, info_); }

  /// Refuses sizes that the bytes cannot hold, before memory is asked for them.
  void check_plausible() const;

  /// What rows are to hold: numbers of 8 or 16 bits, colours and alpha apart.
  void expand_to_samples();
  /// Numbers of 8 or 16 bits as they are stored.
  void unpack();

  /// Gives `use` the pass, the row's number in it and its bytes, row by row; then reads the end.
  template <class Use>
  void read_rows(const Use& use);

  /// As the chunks in front of the pixels say, or, once all was read, those behind.
  [[nodiscard]] std::optional<int> orientation() const;

 private:
  static Reader& of(png_structp png) { return *static_cast<Reader*>(png_get_error_ptr(png)); }
  static void on_error(png_structp png, const char* reason) {
    if (is_about_memory(reason)) of(png).guard_.fail_for_memory();
    of(png).guard_.fail("is damaged", reason, copy_again);
  }
  /// What memory does not hold is left out with a warning, and could be the orientation. Not while
  /// the reader itself is made.
  static void on_warning(png_structp png, const char* reason) {
    if (of(png).guard_.is_running() && is_about_memory(reason)) of(png).guard_.fail_for_memory();
    if (std::string_view(reason) == "eXIf: CRC error") of(png).exif_damaged_ = true;
  }
  static void on_read(png_structp png, png_bytep to, std::size_t count);
  static int on_chunk(png_structp png, png_unknown_chunkp chunk);

  [[nodiscard]] Pass pass(int number) const;
  [[nodiscard]] std::optional<int> orientation_in_texts(png_infop info) const;

  Span bytes_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  png_infop end_ = nullptr;
  std::optional<int> exif_in_front_;  // the orientation of a chunk eXIf before the pixels
  std::optional<int> exif_behind_;
  bool is_behind_ = false;
  bool exif_damaged_ = false;
  Guard guard_;
};

void Reader::on_read(png_structp png, png_bytep to, std::size_t count) {
  Reader& reader = *static_cast<Reader*>(png_get_io_ptr(png));
  if (count > reader.bytes_.size())
    reader.guard_.fail("is truncated", "its end is missing", copy_again);
  std::memcpy(to, reader.bytes_.data(), count);
  reader.bytes_ = reader.bytes_.subspan(count);
}

/// Sees eXIf as it comes: what is kept for later must share most_kept_chunks with texts.
int Reader::on_chunk(png_structp png, png_unknown_chunkp chunk) {
  Reader& reader = *static_cast<Reader*>(png_get_user_chunk_ptr(png));
  std::optional<int>& found = reader.is_behind_ ? reader.exif_behind_ : reader.exif_in_front_;
  bool failed = false;
  try {
    if (!found && !reader.exif_damaged_) found = exif_orientation({chunk->data, chunk->size});
  } catch (const std::bad_alloc&) {  // must not pass through the library
    failed = true;
  }
  if (failed) reader.guard_.fail_for_memory();
  return 1;
}

void Reader::read_header() {
  guard_([&] {
    png_set_read_fn(png_, this, &on_read);
    png_set_benign_errors(png_, 1);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    // Texts and profiles are kept, each of up to 8 MB unpacked from 8 KB; without this 1000 of
    // them.
    png_set_chunk_cache_max(png_, most_kept_chunks);
    // Of eXIf libpng itself refuses the form that begins with "Exif\0\0".
    png_set_read_user_chunk_fn(png_, this, &on_chunk);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_ALWAYS,
                                reinterpret_cast<png_const_bytep>("eXIf"), 1);
    png_read_info(png_, info_);
  });
}

void Reader::check_plausible() const {
  check_stored_size(size());
  const Index row = (size().width * samples() * bits() + 7) / 8;
  if (row * size().height / most_inflation <= static_cast<Index>(bytes_.size())) return;
  throw diffseg::io_error(message("is truncated or damaged (", bytes_.size(), " bytes cannot hold ",
                                  size().height, " x ", size().width, " pixels); ", copy_again));
}

void Reader::expand_to_samples() {
  guard_([&] {
    png_set_expand(png_);
    if constexpr (std::endian::native == std::endian::little) png_set_swap(png_);
    png_read_update_info(png_, info_);
  });
}

void Reader::unpack() {
  guard_([&] {
    png_set_packing(png_);
    if constexpr (std::endian::native == std::endian::little) png_set_swap(png_);
    png_read_update_info(png_, info_);
  });
}

Pass Reader::pass(int number) const {
  if (png_get_interlace_type(png_, info_) == PNG_INTERLACE_NONE) return {.size = size()};
  const auto height = static_cast<png_uint_32>(size().height);
  const auto width = static_cast<png_uint_32>(size().width);
  return {.first_row = PNG_PASS_START_ROW(number),
          .row_step = PNG_PASS_ROW_OFFSET(number),
          .first_column = PNG_PASS_START_COL(number),
          .column_step = PNG_PASS_COL_OFFSET(number),
          .size = {PNG_PASS_ROWS(height, number), PNG_PASS_COLS(width, number)}};
}

template <class Use>
void Reader::read_rows(const Use& use) {
  const bool plain = png_get_interlace_type(png_, info_) == PNG_INTERLACE_NONE;
  std::vector<std::uint16_t> row(png_get_rowbytes(png_, info_) / 2 + 1);
  is_behind_ = true;
  for (int number = 0; number < (plain ? 1 : PNG_INTERLACE_ADAM7_PASSES); ++number) {
    const Pass here = pass(number);
    if (here.size.width == 0) continue;
    for (Index y = 0; y < here.size.height; ++y) {
      guard_([&] { png_read_row(png_, reinterpret_cast<png_bytep>(row.data()), nullptr); });
      use(here, y, static_cast<const void*>(row.data()));
    }
  }
  guard_([&] { png_read_end(png_, end_); });
}

std::optional<int> Reader::orientation_in_texts(png_infop info) const {
  png_textp texts = nullptr;
  const int lines = png_get_text(png_, info, &texts, nullptr);
  for (int i = 0; i < lines; ++i) {
    const std::string_view key(texts[i].key);
    if (key != "Raw profile type exif" && key != "Raw profile type APP1") continue;
    // Of the two lengths one is that of the text, by its kind.
    const std::size_t length = std::max(texts[i].text_length, texts[i].itxt_length);
    const auto profile = raw_profile({texts[i].text, length});
    if (const auto found = exif_orientation(profile)) return found;
  }
  return {};
}

std::optional<int> Reader::orientation() const {
  if (exif_in_front_) return exif_in_front_;
  if (const auto front = orientation_in_texts(info_)) return front;
  return exif_behind_ ? exif_behind_ : orientation_in_texts(end_);
}

/// The rows of a PNG with `Sample`s of 8 or 16 bits.
template <class Sample>
diffseg::Image<float> read_samples(Reader& reader, int orientation, Index shrink) {
  const Index samples = reader.samples();
  PhotoRows rows(reader.size(), samples, orientation, shrink);
  reader.read_rows([&](const Pass& pass, Index y, const void* row) {
    const std::span<const Sample> numbers(static_cast<const Sample*>(row),
                                          static_cast<std::size_t>(pass.size.width * samples));
    rows.add(pass.first_row + y * pass.row_step, numbers, pass.first_column, pass.column_step);
  });
  return rows.take();
}

}  // namespace

Photo decode_png(Span bytes, Index most) {
  Reader reader(bytes);
  reader.read_header();
  reader.check_plausible();
  reader.expand_to_samples();
  const auto front = reader.orientation();
  const Index shrink = shrink_factor(reader.size(), most);
  auto image = reader.bits() == 16 ? read_samples<std::uint16_t>(reader, front.value_or(1), shrink)
                                   : read_samples<std::uint8_t>(reader, front.value_or(1), shrink);
  const int orientation = reader.orientation().value_or(1);
  if (!front) image = upright(std::move(image), orientation);
  return {std::move(image), turned(reader.size(), orientation)};
}

PngNumbers decode_png_numbers(Span bytes, Index most) {
  Reader reader(bytes);
  reader.read_header();
  PngNumbers result{.size = reader.size(), .bits = reader.bits(), .values = {}};
  result.colours =
      reader.colour_type() != PNG_COLOR_TYPE_GRAY && reader.colour_type() != PNG_COLOR_TYPE_PALETTE;
  if (result.size.height > most / result.size.width) {
    throw diffseg::io_error(message("is too large (", result.size.height, " x ", result.size.width,
                                    " pixels), at most ", most, " are taken"));
  }
  reader.check_plausible();
  if (result.colours) return result;
  reader.unpack();
  result.values.resize(static_cast<std::size_t>(result.size.cells()));
  reader.read_rows([&](const Pass& pass, Index y, const void* row) {
    std::uint16_t* to = result.values.data() +
                        (pass.first_row + y * pass.row_step) * result.size.width +
                        pass.first_column;
    for (Index x = 0; x < pass.size.width; ++x) {
      to[x * pass.column_step] = result.bits == 16 ? static_cast<const std::uint16_t*>(row)[x]
                                                   : static_cast<const std::uint8_t*>(row)[x];
    }
  });
  return result;
}

}  // namespace cli
