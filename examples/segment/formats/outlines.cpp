// SPDX-License-Identifier: MIT
#include "outlines.hpp"

#include <algorithm>
#include <diffseg/core/parallel.hpp>
#include <stdexcept>
#include <string>

#include "../jpeg_io.hpp"
#include "preview.hpp"
#include "regions.hpp"

namespace cli {

using diffseg::Index;
using diffseg::Labels;

namespace {

constexpr Index glyph_width = 3;
constexpr Index glyph_height = 5;

/// The digits, 3 x 5 dots each, row by row from the highest bit.
constexpr std::array<unsigned, 10> glyphs{
    0b111'101'101'101'111, 0b010'110'010'010'111, 0b111'001'111'100'111, 0b111'001'111'001'111,
    0b101'101'111'001'001, 0b111'100'111'001'111, 0b111'100'111'101'111, 0b111'001'010'010'010,
    0b111'101'111'101'111, 0b111'101'111'001'111};

bool has_dot(char digit, Index row, Index column) {
  const auto bit =
      static_cast<unsigned>(glyph_width * glyph_height - 1 - row * glyph_width - column);
  return (glyphs[static_cast<std::size_t>(digit - '0')] >> bit & 1U) != 0;
}

/// True when a pixel `distance` above, below, left or right has another label.
bool near_border(const Labels& labels, Index y, Index x, Index distance) {
  const auto [height, width] = labels.size;
  const std::int32_t* here = labels.values.data() + y * width + x;
  const Index up = std::min(distance, y);
  const Index down = std::min(distance, height - 1 - y);
  const Index left = std::min(distance, x);
  const Index right = std::min(distance, width - 1 - x);
  return here[-up * width] != *here || here[down * width] != *here || here[-left] != *here ||
         here[right] != *here;
}

/// `labels` have the size of the picture [height, width, 3].
void draw_lines(Bytes& pixels, const Labels& labels, const std::vector<Colour>& palette,
                Index line) {
  const auto [height, width] = labels.size;
  diffseg::detail::parallel_for(height, [&, width = width](Index y) {
    for (Index x = 0; x < width; ++x) {
      if (!near_border(labels, y, x, line)) continue;
      const std::int32_t label = labels.values[static_cast<std::size_t>(y * width + x)];
      const Colour& colour = palette[static_cast<std::size_t>(label)];
      std::copy(colour.begin(), colour.end(), pixels.begin() + 3 * (y * width + x));
    }
  });
}

/// A rectangle of the picture, cut where it ends.
void fill(Bytes& pixels, diffseg::GridSize size, Square from, Index width, Index height,
          const Colour& colour) {
  for (Index y = std::max<Index>(0, from.y); y < std::min(size.height, from.y + height); ++y) {
    for (Index x = std::max<Index>(0, from.x); x < std::min(size.width, from.x + width); ++x)
      std::copy(colour.begin(), colour.end(), pixels.begin() + 3 * (y * size.width + x));
  }
}

/// The number on a plate around the middle of `place`, as large as it fits in there, dots of at
/// most `largest` pixels and at least one.
void draw_number(Bytes& pixels, diffseg::GridSize size, const Square& place,
                 const std::string& number, const Colour& plate, Index largest) {
  const Index columns = static_cast<Index>(number.size()) * (glyph_width + 1) + 1;
  const Index rows = glyph_height + 2;
  const Index dot = std::clamp<Index>(place.side / std::max(columns, rows), 1, largest);
  const Index left = place.x + (place.side - columns * dot) / 2;
  const Index top = place.y + (place.side - rows * dot) / 2;
  fill(pixels, size, {left, top}, columns * dot, rows * dot, plate);
  const int brightness = 3 * plate[0] + 6 * plate[1] + plate[2];
  const unsigned char ink = brightness > 1275 ? 0 : 255;
  for (Index i = 0; i < static_cast<Index>(number.size()) * glyph_height * glyph_width; ++i) {
    const Index digit = i / (glyph_height * glyph_width);
    const Index row = i / glyph_width % glyph_height;
    const Index column = i % glyph_width;
    if (!has_dot(number[static_cast<std::size_t>(digit)], row, column)) continue;
    const Index x = left + (1 + digit * (glyph_width + 1) + column) * dot;
    fill(pixels, size, {x, top + (1 + row) * dot}, dot, dot, {ink, ink, ink});
  }
}

}  // namespace

Bytes draw_outlines(const Scene& scene) {
  const diffseg::GridSize size = scene.photo.size;
  const bool same = scene.labels.size == size;
  const Labels stretched = same ? Labels{} : resized(scene.labels, size);
  const Labels& labels = same ? scene.labels : stretched;
  const Index longer = std::max(size.height, size.width);
  Bytes pixels = photo_bytes(scene.photo);
  draw_lines(pixels, labels, scene.palette, std::max<Index>(1, longer / 500));
  const auto squares = find_squares(labels);
  for (std::size_t label = 0; label < squares.size(); ++label) {
    if (squares[label].side == 0) continue;
    draw_number(pixels, size, squares[label], std::to_string(label), scene.palette[label],
                std::max<Index>(1, longer / 200));
  }
  return pixels;
}

Bytes encode_outlines(const Scene& scene) {
  if (scene.photo.values.empty())
    throw std::invalid_argument("format outlines: needs a photo to draw on; give --image");
  return encode_colour_jpeg(scene.photo.size, draw_outlines(scene));
}

}  // namespace cli
