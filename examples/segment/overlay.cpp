// SPDX-License-Identifier: MIT
#include "overlay.hpp"

#include <algorithm>
#include <cmath>
#include <diffseg/core/parallel.hpp>
#include <numbers>

namespace cli {

using diffseg::Image;
using diffseg::Index;
using diffseg::Labels;

namespace {

constexpr float tint = 0.45F;  // share of the label's colour in a pixel

/// Label under each pixel of a photo, by position.
class LabelLookup {
 public:
  LabelLookup(const Labels& labels, diffseg::GridSize photo) : labels_(labels), photo_(photo) {}

  [[nodiscard]] std::int32_t operator()(Index y, Index x) const {
    const Index row = y * labels_.size.height / photo_.height;
    const Index column = x * labels_.size.width / photo_.width;
    return labels_.values[static_cast<std::size_t>(row * labels_.size.width + column)];
  }

  /// True when a pixel `distance` above, below, left or right has another label.
  [[nodiscard]] bool near_border(Index y, Index x, Index distance) const {
    const std::int32_t here = (*this)(y, x);
    const auto other = [&](Index row, Index column) {
      return here != (*this)(std::clamp<Index>(row, 0, photo_.height - 1),
                             std::clamp<Index>(column, 0, photo_.width - 1));
    };
    return other(y - distance, x) || other(y + distance, x) || other(y, x - distance) ||
           other(y, x + distance);
  }

 private:
  const Labels& labels_;
  diffseg::GridSize photo_;
};

unsigned char to_byte(float value) {
  return static_cast<unsigned char>(std::lround(255.0F * std::clamp(value, 0.0F, 1.0F)));
}

void tint_pixel(const Image<float>& photo, Index pixel, const Colour& colour, unsigned char* to) {
  const float* from = photo.values.data() + pixel * photo.channels;
  for (std::size_t c = 0; c < 3; ++c) {
    const float value = from[photo.channels == 1 ? 0 : c];
    to[c] = to_byte((1.0F - tint) * value + tint * static_cast<float>(colour[c]) / 255.0F);
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
  const auto [height, width] = photo.size;
  const Index line = std::max<Index>(1, std::max(height, width) / 700);
  const LabelLookup label(labels, photo.size);
  Bytes pixels(static_cast<std::size_t>(photo.size.cells()) * 3);
  diffseg::detail::parallel_for(height, [&, width = width](Index y) {
    for (Index x = 0; x < width; ++x) {
      unsigned char* to = pixels.data() + 3 * (y * width + x);
      if (label.near_border(y, x, line)) {
        std::fill_n(to, 3, static_cast<unsigned char>(255));
      } else if (label.near_border(y, x, 2 * line)) {
        std::fill_n(to, 3, static_cast<unsigned char>(0));
      } else {
        tint_pixel(photo, y * width + x, palette[static_cast<std::size_t>(label(y, x))], to);
      }
    }
  });
  return pixels;
}

}  // namespace cli
