// SPDX-License-Identifier: MIT
#include "result_size.hpp"

#include <algorithm>
#include <diffseg/core/check.hpp>

#include "formats/regions.hpp"
#include "jpeg_io.hpp"
#include "text.hpp"

namespace cli {

using diffseg::GridSize;
using diffseg::Index;
using diffseg::Labels;

Labels at_full_size(Labels labels, const Photo& photo, Index most) {
  if (photo.full == photo.image.size || labels.size != photo.image.size ||
      photo.full.cells() > most) {
    return labels;
  }
  return resized(labels, photo.full);
}

std::string scaling_note(const Photo& photo, GridSize labels) {
  if (photo.full == photo.image.size) return {};
  const auto text = [](GridSize size) { return message(size.height, "x", size.width); };
  return message("has ", text(photo.full), " pixels, more than ", max_pixels,
                 ", and was scaled down to ", text(photo.image.size), "; the labels have ",
                 text(labels));
}

std::string overlay_suffix(OverlayKind kind, GridSize photo) {
  constexpr Index most_for_png = 4'000'000;
  const bool fits = std::max(photo.height, photo.width) <= longest_jpeg_side;
  if (kind == OverlayKind::automatic)
    kind = photo.cells() > most_for_png && fits ? OverlayKind::jpg : OverlayKind::png;
  if (kind == OverlayKind::none) return {};
  if (kind == OverlayKind::png) return ".overlay.png";
  diffseg::detail::require(fits, "overlay: a JPEG has sides of at most ", longest_jpeg_side,
                           ", got ", photo.height, " x ", photo.width, "; use --overlay png");
  return ".overlay.jpg";
}

}  // namespace cli
