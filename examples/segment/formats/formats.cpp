// SPDX-License-Identifier: MIT
#include "formats.hpp"

#include <algorithm>
#include <array>
#include <diffseg/core/profile.hpp>
#include <stdexcept>

#include "coco.hpp"
#include "csv.hpp"
#include "geojson.hpp"
#include "npy.hpp"
#include "outlines.hpp"
#include "text.hpp"
#include "voc.hpp"

namespace cli {

namespace {

Bytes encode_png(const Scene& scene) {
  return encode_label_png(scene.labels, scene.palette);
}

struct Row {
  Format format;
  std::string_view name;
  std::string_view suffix;
  Bytes (*encode)(const Scene&);
};

constexpr std::array rows{Row{Format::png, "png", ".labels.png", &encode_png},
                          Row{Format::voc, "voc", ".voc.png", &encode_voc},
                          Row{Format::npy, "npy", ".labels.npy", &encode_npy},
                          Row{Format::coco, "coco", ".coco.json", &encode_coco},
                          Row{Format::polygons, "polygons", ".polygons.json", &encode_polygons},
                          Row{Format::geojson, "geojson", ".geojson", &encode_geojson},
                          Row{Format::csv, "csv", ".regions.csv", &encode_csv},
                          Row{Format::outlines, "outlines", ".outlines.jpg", &encode_outlines}};

const Row& row_of(Format format) {
  return *std::find_if(rows.begin(), rows.end(),
                       [=](const Row& row) { return row.format == format; });
}

}  // namespace

std::vector<Format> parse_formats(const std::vector<std::string>& names) {
  std::vector<Format> formats;
  for (const std::string& name : names) {
    const auto* const row =
        std::find_if(rows.begin(), rows.end(), [&](const Row& each) { return each.name == name; });
    if (row == rows.end())
      throw std::invalid_argument(message("must be of ", format_names(), "; got '", name, "'"));
    if (std::find(formats.begin(), formats.end(), row->format) == formats.end())
      formats.push_back(row->format);
  }
  return formats;
}

std::string_view suffix(Format format) {
  return row_of(format).suffix;
}

std::vector<std::string_view> result_suffixes() {
  std::vector<std::string_view> suffixes;
  suffixes.reserve(rows.size());
  for (const Row& row : rows) suffixes.push_back(row.suffix);
  return suffixes;
}

std::string format_names() {
  std::string names;
  for (const Row& row : rows) names.append(names.empty() ? "" : ", ").append(row.name);
  return names;
}

std::string_view name_of(Format format) {
  return row_of(format).name;
}

Bytes encode(Format format, const Scene& scene) {
  const Row& row = row_of(format);
  const diffseg::detail::ProfileScope scope(row.name.data());
  return row.encode(scene);
}

}  // namespace cli
