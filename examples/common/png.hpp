// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "photo_rows.hpp"

namespace cli {

/// The PNG in `bytes`, with means of squares of pixels for pixels where it has more than `most`.
/// diffseg::io_error (reason; remedy) unless all of it is there and sound.
[[nodiscard]] Photo decode_png(std::span<const unsigned char> bytes, diffseg::Index most);

/// The numbers that a PNG stores, of whatever meaning.
struct PngNumbers {
  diffseg::GridSize size;
  bool colours = false;               ///< red, green and blue are stored; values stays empty
  int bits = 0;                       ///< of a number, 1 .. 16
  std::vector<std::uint16_t> values;  ///< [height, width] palette indices or grey
};

/// Palette indices or grey as they are stored, alpha left out, of at most `most` pixels.
/// diffseg::io_error as decode_png.
[[nodiscard]] PngNumbers decode_png_numbers(std::span<const unsigned char> bytes,
                                            diffseg::Index most);

}  // namespace cli
