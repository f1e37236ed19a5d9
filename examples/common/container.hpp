// SPDX-License-Identifier: MIT
// What the decoder does not tell: is a JPEG or PNG whole, and which way up is it.
#pragma once

#include <span>

namespace cli {

/// The frame around the pixels of a JPEG or PNG.
struct Container {
  enum class Kind { unknown, jpeg, png };
  Kind kind = Kind::unknown;
  bool complete = false;  ///< the end marker was reached
  bool damaged = false;   ///< a check sum (PNG) or Huffman table (JPEG) is wrong
  int orientation = 1;    ///< EXIF orientation 1..8; 1 when absent or nonsense
};

/// Walks the markers or chunks of `bytes`; reads nothing outside them whatever they say.
[[nodiscard]] Container inspect(std::span<const unsigned char> bytes);

/// Orientation 1..8 in the TIFF block of an EXIF record; 1 when absent or nonsense.
[[nodiscard]] int exif_orientation(std::span<const unsigned char> tiff);

}  // namespace cli
