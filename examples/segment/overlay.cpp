// SPDX-License-Identifier: MIT
#include "overlay.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <diffseg/core/parallel.hpp>
#include <numbers>

namespace cli {

using diffseg::Image;
using diffseg::Index;
using diffseg::Labels;

namespace {

constexpr float tint = 0.45F;  // share of the label's colour in a pixel

/// The labels under the rows of a photo.
class LabelRows {
 public:
  LabelRows(const Labels& labels, diffseg::GridSize photo) : labels_(labels), photo_(photo) {
    if (labels.size.width == photo.width) return;
    for (Index x = 0; x < photo.width; ++x) columns_.push_back(x * labels.size.width / photo.width);
  }

  /// The labels under row `y`, the nearest row where there is none; `room` may hold them.
  [[nodiscard]] const std::int32_t* operator()(Index y, std::vector<std::int32_t>& room) const {
    y = std::clamp<Index>(y, 0, photo_.height - 1);
    const Index row = y * labels_.size.height / photo_.height;
    const std::int32_t* const labels = labels_.values.data() + row * labels_.size.width;
    if (columns_.empty()) return labels;
    room.resize(columns_.size());
    for (std::size_t x = 0; x < columns_.size(); ++x) room[x] = labels[columns_[x]];
    return room.data();
  }

 private:
  const Labels& labels_;
  diffseg::GridSize photo_;
  std::vector<Index> columns_;  // of the labels, for each of the photo; empty: the same
};

/// Which pixels of a row have another label above, below, left or right of them.
class BorderRow {
 public:
  /// Adds those who have it `distance` away to marks[width], with all bits.
  void mark(const LabelRows& labels, Index y, Index width, Index distance, std::uint8_t bits,
            std::vector<std::uint8_t>& marks) {
    const std::int32_t* const here = labels(y, here_);
    const std::int32_t* const above = labels(y - distance, above_);
    const std::int32_t* const below = labels(y + distance, below_);
    // The ends go on beyond the row.
    line_.assign(static_cast<std::size_t>(width + 2 * distance), here[0]);
    std::copy_n(here, width, line_.begin() + distance);
    std::fill_n(line_.begin() + distance + width, distance, here[width - 1]);
    const std::int32_t* const left = line_.data();
    const std::int32_t* const right = left + 2 * distance;
    for (Index x = 0; x < width; ++x) {
      const std::int32_t other =
          (here[x] ^ above[x]) | (here[x] ^ below[x]) | (here[x] ^ left[x]) | (here[x] ^ right[x]);
      marks[static_cast<std::size_t>(x)] |= other != 0 ? bits : std::uint8_t{0};
    }
  }

 private:
  std::vector<std::int32_t> here_, above_, below_;  // where the labels are stretched
  std::vector<std::int32_t> line_;
};

unsigned char to_byte(float value) {
  return static_cast<unsigned char>(std::lround(255.0F * std::clamp(value, 0.0F, 1.0F)));
}

/// A label's share of its pixels' bytes, with the half that rounds.
using Tint = std::array<float, 3>;

std::vector<Tint> make_tints(const std::vector<Colour>& palette) {
  std::vector<Tint> tints;
  tints.reserve(palette.size());
  for (const Colour& colour : palette) {
    Tint& shares = tints.emplace_back();
    for (std::size_t c = 0; c < 3; ++c) shares[c] = tint * static_cast<float>(colour[c]) + 0.5F;
  }
  return tints;
}

unsigned char tint_number(float value, float share) {
  const float kept = (1.0F - tint) * 255.0F * std::clamp(value, 0.0F, 1.0F);
  return static_cast<unsigned char>(static_cast<int>(kept + share));
}

/// Tints `pixels` neighbours of one label, [pixels, 3].
void tint_run(const float* from, Index pixels, const Tint& shares, unsigned char* to) {
  constexpr Index block = 48;  // numbers: whole pixels and whole packets
  std::array<float, block> repeated;
  for (Index i = 0; i < block; ++i)
    repeated[static_cast<std::size_t>(i)] = shares[static_cast<std::size_t>(i % 3)];
  Index left = 3 * pixels;
  for (; left >= block; left -= block, from += block, to += block) {
    for (Index i = 0; i < block; ++i)
      to[i] = tint_number(from[i], repeated[static_cast<std::size_t>(i)]);
  }
  for (Index i = 0; i < left; ++i)
    to[i] = tint_number(from[i], repeated[static_cast<std::size_t>(i)]);
}

/// What one thread draws rows with.
struct RowRoom {
  BorderRow borders;
  std::vector<std::uint8_t> marks;
  std::vector<std::int32_t> labels;
  std::vector<float> colours;  // of a grey photo's row
};

/// The colours [width, 3] of a row.
const float* colours_of(const Image<float>& photo, Index y, std::vector<float>& room) {
  const Index width = photo.size.width;
  const float* const row = photo.values.data() + y * width * photo.channels;
  if (photo.channels == 3) return row;
  room.resize(static_cast<std::size_t>(3 * width));
  for (Index x = 0; x < width; ++x) std::fill_n(room.begin() + 3 * x, 3, row[x]);
  return room.data();
}

constexpr std::uint8_t bright_mark = 2;
constexpr std::uint8_t dark_mark = 1;

void draw_row(const Image<float>& photo, Index y, const LabelRows& labels,
              const std::vector<Tint>& tints, RowRoom& room, unsigned char* to) {
  const auto [height, width] = photo.size;
  const Index line = std::max<Index>(1, std::max(height, width) / 700);
  room.marks.assign(static_cast<std::size_t>(width), 0);
  room.borders.mark(labels, y, width, line, bright_mark, room.marks);
  room.borders.mark(labels, y, width, 2 * line, dark_mark, room.marks);
  const std::int32_t* const label = labels(y, room.labels);
  const float* const from = colours_of(photo, y, room.colours);
  const std::uint8_t* const mark = room.marks.data();
  for (Index x = 0, end = 0; x < width; x = end) {
    while (end < width && label[end] == label[x] && mark[end] == mark[x]) ++end;
    if (mark[x] == 0) {
      tint_run(from + 3 * x, end - x, tints[static_cast<std::size_t>(label[x])], to + 3 * x);
    } else {
      std::fill_n(to + 3 * x, 3 * (end - x),
                  static_cast<unsigned char>(mark[x] >= bright_mark ? 255 : 0));
    }
  }
}

}  // namespace

std::vector<Colour> make_palette(Index count) {
  // Hues a golden section apart never come close; brightness alternates for those who see fewer.
  std::vector<Colour> palette(static_cast<std::size_t>(count));
  for (std::size_t id = 0; id < palette.size(); ++id) {
    const float hue = std::fmod(0.58F + static_cast<float>(id) / std::numbers::phi_v<float>, 1.0F);
    const float bright = id % 2 == 0 ? 1.0F : 0.7F;
    for (std::size_t c = 0; c < 3; ++c) {
      const float turn = std::fmod(hue + static_cast<float>(3 - c) / 3.0F, 1.0F);
      const float ramp = std::clamp(std::abs(turn * 6.0F - 3.0F) - 1.0F, 0.0F, 1.0F);
      palette[id][c] = to_byte(bright * (0.15F + 0.85F * ramp));
    }
  }
  return palette;
}

Bytes draw_overlay(const Image<float>& photo, const Labels& labels,
                   const std::vector<Colour>& palette) {
  const LabelRows rows(labels, photo.size);
  const std::vector<Tint> tints = make_tints(palette);
  Bytes pixels(static_cast<std::size_t>(photo.size.cells()) * 3);
  diffseg::detail::parallel_for(
      photo.size.height, [] { return RowRoom{}; },
      [&](Index y, RowRoom& room) {
        draw_row(photo, y, rows, tints, room, pixels.data() + 3 * y * photo.size.width);
      });
  return pixels;
}

}  // namespace cli
