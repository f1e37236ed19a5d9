// SPDX-License-Identifier: MIT
#include "preview.hpp"

#include <algorithm>
#include <array>
#include <diffseg/core/parallel.hpp>
#include <numeric>

#include "../overlay.hpp"
#include "regions.hpp"

namespace cli {

using diffseg::GridSize;
using diffseg::Index;
using diffseg::Labels;

namespace {

constexpr Index longest = 640;
constexpr unsigned char border_colour = 255;

/// The first colour that is not taken, the first of all where none is left.
unsigned char free_colour(const std::array<bool, border_colour>& taken) {
  const auto* const found = std::find(taken.begin(), taken.end(), false);
  return found == taken.end() ? 0 : static_cast<unsigned char>(found - taken.begin());
}

/// [label] a colour: the one of `before` in its middle, where no larger label has it.
std::vector<unsigned char> choose_colours(const Labels& labels,
                                          const std::vector<unsigned char>& before) {
  const auto squares = find_squares(labels);
  std::vector<std::size_t> order(squares.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return squares[a].side > squares[b].side; });
  std::array<bool, border_colour> taken{};
  std::vector<unsigned char> colours(squares.size(), border_colour);
  for (const std::size_t label : order) {
    const Square& square = squares[label];
    if (before.empty() || square.side == 0) continue;
    const Index middle =
        (square.y + square.side / 2) * labels.size.width + square.x + square.side / 2;
    const unsigned char wanted = before[static_cast<std::size_t>(middle)];
    if (!std::exchange(taken[wanted], true)) colours[label] = wanted;
  }
  for (unsigned char& colour : colours) {
    if (colour != border_colour) continue;
    colour = free_colour(taken);
    taken[colour] = true;
  }
  return colours;
}

}  // namespace

GridSize preview_size(GridSize size) {
  const Index longer = std::max(size.height, size.width);
  if (longer <= longest) return size;
  return {std::max<Index>(1, size.height * longest / longer),
          std::max<Index>(1, size.width * longest / longer)};
}

Bytes photo_bytes(const diffseg::Image<float>& photo) {
  const Index copies = photo.channels == 1 ? 3 : 1;
  const Index row = photo.size.width * photo.channels;
  Bytes bytes(photo.values.size() * static_cast<std::size_t>(copies));
  diffseg::detail::parallel_for(photo.size.height, [&](Index y) {
    const float* from = photo.values.data() + y * row;
    unsigned char* to = bytes.data() + y * row * copies;
    for (Index i = 0; i < row * copies; ++i) {
      const float rounded = 255.0F * std::clamp(from[i / copies], 0.0F, 1.0F) + 0.5F;
      to[i] = static_cast<unsigned char>(rounded);
    }
  });
  return bytes;
}

const std::vector<Colour>& preview_palette() {
  static const std::vector<Colour> palette = [] {
    std::vector<Colour> colours = make_palette(border_colour);
    colours.push_back({255, 255, 255});
    return colours;
  }();
  return palette;
}

Bytes preview_png(const Labels& labels, const std::vector<unsigned char>& colours) {
  const auto [height, width] = labels.size;
  Labels picture{labels.size, {}, std::vector<std::int32_t>(256)};
  picture.values.reserve(labels.values.size());
  for (Index y = 0; y < height; ++y) {
    const std::int32_t* row = labels.values.data() + y * width;
    for (Index x = 0; x < width; ++x) {
      const bool border =
          (x + 1 < width && row[x + 1] != row[x]) || (y + 1 < height && row[x + width] != row[x]);
      picture.values.push_back(border ? border_colour : colours[static_cast<std::size_t>(row[x])]);
    }
  }
  return encode_label_png(picture, preview_palette());
}

SliderStep SliderDrawer::draw(double threshold, const Labels& labels) {
  const std::vector<unsigned char> colours = choose_colours(labels, before_);
  before_.clear();
  for (const std::int32_t label : labels.values)
    before_.push_back(colours[static_cast<std::size_t>(label)]);
  return {threshold, labels.count(), preview_png(labels, colours)};
}

}  // namespace cli
