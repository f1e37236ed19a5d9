// SPDX-License-Identifier: MIT
#include "voc.hpp"

#include <stdexcept>

#include "text.hpp"

namespace cli {

std::vector<Colour> voc_palette(diffseg::Index count) {
  std::vector<Colour> palette(static_cast<std::size_t>(count));
  for (std::size_t id = 0; id < palette.size(); ++id) {
    for (unsigned bit = 0; bit < 24; ++bit) {
      if ((id >> bit & 1U) == 0) continue;
      unsigned char& channel = palette[id][bit % 3];
      channel = static_cast<unsigned char>(channel | 0x80U >> bit / 3);
    }
  }
  return palette;
}

Bytes encode_voc(const Scene& scene) {
  if (scene.labels.count() > 255) {
    throw std::invalid_argument(
        message("format voc: at most 255 labels, as 255 is void there, got ", scene.labels.count(),
                "; take --format png or npy, or a larger --min-area"));
  }
  return encode_label_png(scene.labels, voc_palette(scene.labels.count()));
}

}  // namespace cli
