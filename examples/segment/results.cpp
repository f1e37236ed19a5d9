// SPDX-License-Identifier: MIT
#include "results.hpp"

#include "jpeg_io.hpp"
#include "overlay.hpp"
#include "png_io.hpp"
#include "result_size.hpp"
#include "stop.hpp"

namespace cli {

std::vector<Result> encode_results(const diffseg::Image<float>& photo,
                                   const diffseg::Labels& labels, const Options& options,
                                   const PhotoReport& /*report*/) {
  const auto palette = make_palette(labels.count());
  std::vector<Result> results;
  results.push_back({"labels", ".labels.png", encode_label_png(labels, palette)});
  if (photo.values.empty() || options.overlay == OverlayKind::none) return results;
  check_stop();
  const std::string suffix = overlay_suffix(options.overlay, photo.size);
  const Bytes pixels = draw_overlay(photo, labels, palette);
  check_stop();
  results.push_back({"overlay", suffix,
                     suffix.ends_with(".jpg") ? encode_colour_jpeg(photo.size, pixels)
                                              : encode_colour_png(photo.size, pixels)});
  return results;
}

}  // namespace cli
