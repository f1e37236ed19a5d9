// SPDX-License-Identifier: MIT
#include "results.hpp"

#include "formats/formats.hpp"
#include "formats/html.hpp"
#include "jpeg_io.hpp"
#include "overlay.hpp"
#include "png_io.hpp"
#include "result_size.hpp"
#include "stop.hpp"

namespace cli {

std::vector<Result> encode_results(const diffseg::Image<float>& photo,
                                   const diffseg::Labels& labels, const Options& options,
                                   const PhotoReport& report) {
  const auto palette = make_palette(labels.count());
  const Scene scene{photo, labels, report.names, palette, report.photo.filename().string()};
  std::vector<Result> results;
  for (const Format format : options.formats) {
    check_stop();
    results.push_back({format == Format::png ? "labels" : std::string(name_of(format)),
                       std::string(suffix(format)), encode(format, scene)});
  }
  if (photo.values.empty() || options.overlay == OverlayKind::none) return results;
  check_stop();
  const std::string end = overlay_suffix(options.overlay, photo.size);
  const Bytes pixels = draw_overlay(photo, labels, palette);
  check_stop();
  results.push_back({"overlay", end,
                     end.ends_with(".jpg") ? encode_colour_jpeg(photo.size, pixels)
                                           : encode_colour_png(photo.size, pixels)});
  return results;
}

std::string page_part(const diffseg::Image<float>& photo, const diffseg::Labels& labels,
                      const PhotoReport& report) {
  const auto palette = make_palette(labels.count());
  const Scene scene{photo, labels, report.names, palette, report.photo.filename().string()};
  return html_photo(scene, report.name, report.hint, report.slider, report.thresholds.front());
}

}  // namespace cli
