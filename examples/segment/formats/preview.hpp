// SPDX-License-Identifier: MIT
// Small pictures for the page about a run.
#pragma once

#include <diffseg/data/image.hpp>
#include <diffseg/data/labels.hpp>
#include <vector>

#include "../png_io.hpp"

namespace cli {

/// The size with its longer side cut to 640 pixels.
[[nodiscard]] diffseg::GridSize preview_size(diffseg::GridSize size);

/// The photo [height, width, 3] as bytes.
[[nodiscard]] Bytes photo_bytes(const diffseg::Image<float>& photo);

/// A palette PNG of regions with lines between them; `colours` [label] are indices into
/// preview_palette().
[[nodiscard]] Bytes preview_png(const diffseg::Labels& labels,
                                const std::vector<unsigned char>& colours);

/// 255 colours, and white for the lines.
[[nodiscard]] const std::vector<Colour>& preview_palette();

/// One position of a slider over thresholds.
struct SliderStep {
  double threshold = 0;
  diffseg::Index segments = 0;
  Bytes png;
};

/// Draws the steps of one slider. A region keeps the colour that the step before had in the middle
/// of it, the larger of two that claim one.
class SliderDrawer {
 public:
  /// Every labels have the same size.
  [[nodiscard]] SliderStep draw(double threshold, const diffseg::Labels& labels);

 private:
  std::vector<unsigned char> before_;  // [pixel] colour in the last step
};

}  // namespace cli
