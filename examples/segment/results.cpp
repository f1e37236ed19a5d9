// SPDX-License-Identifier: MIT
#include "results.hpp"

#include "overlay.hpp"
#include "png_io.hpp"
#include "stop.hpp"

namespace cli {

std::vector<Result> encode_results(const diffseg::Image<float>& photo,
                                   const diffseg::Labels& labels, const Options& /*options*/,
                                   const PhotoReport& /*report*/) {
  const auto palette = make_palette(labels.count());
  std::vector<Result> results;
  results.push_back({"labels", ".labels.png", encode_label_png(labels, palette)});
  if (photo.values.empty()) return results;
  check_stop();
  results.push_back({"overlay", ".overlay.png",
                     encode_colour_png(photo.size, draw_overlay(photo, labels, palette))});
  return results;
}

}  // namespace cli
