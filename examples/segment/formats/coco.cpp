// SPDX-License-Identifier: MIT
#include "coco.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "json_bytes.hpp"
#include "regions.hpp"
#include "run_lengths.hpp"
#include "trace.hpp"

namespace cli {

namespace {

using Json = nlohmann::ordered_json;

/// The names in the order of the groups; without any, one for all.
Json categories(const Scene& scene) {
  Json list = Json::array();
  for (const auto& group : scene.names)
    list.push_back({{"id", list.size() + 1}, {"name", group.word}});
  list.push_back({{"id", list.size() + 1}, {"name", "segment"}});
  return list;
}

/// Of the first group that holds the label; the last category is that of all others.
std::size_t category_of(const Scene& scene, std::int32_t label) {
  const auto found = std::find_if(scene.names.begin(), scene.names.end(), [&](const auto& group) {
    return std::find(group.labels.begin(), group.labels.end(), label) != group.labels.end();
  });
  return static_cast<std::size_t>(found - scene.names.begin()) + 1;
}

Json annotation(const Scene& scene, std::int32_t label, const Extent& extent, Json segmentation) {
  const auto [height, width] = scene.labels.size;
  return {{"id", label + 1},
          {"image_id", 1},
          {"category_id", category_of(scene, label)},
          {"label", label},
          {"segmentation", std::move(segmentation)},
          {"area", extent.area},
          {"bbox", {extent.left, extent.top, extent.width(), extent.height()}},
          {"iscrowd", 0},
          {"crop_box", {0, 0, width, height}},
          {"predicted_iou", nullptr},
          {"stability_score", nullptr},
          {"point_coords", nullptr}};
}

/// `segmentations` [label].
Bytes document(const Scene& scene, std::vector<Json> segmentations) {
  const auto [height, width] = scene.labels.size;
  const auto extents = find_extents(scene.labels);
  Json annotations = Json::array();
  for (std::size_t label = 0; label < extents.size(); ++label) {
    if (extents[label].area == 0) continue;
    annotations.push_back(annotation(scene, static_cast<std::int32_t>(label), extents[label],
                                     std::move(segmentations[label])));
  }
  const auto image = [&, height = height, width = width](const char* id) -> Json {
    return {{id, 1}, {"width", width}, {"height", height}, {"file_name", scene.file}};
  };
  return json_bytes({{"image", image("image_id")},
                     {"images", Json::array({image("id")})},
                     {"annotations", std::move(annotations)},
                     {"categories", categories(scene)}});
}

}  // namespace

Bytes encode_coco(const Scene& scene) {
  const auto [height, width] = scene.labels.size;
  std::vector<Json> masks;
  for (std::string& counts : run_lengths(scene.labels))
    masks.push_back({{"size", {height, width}}, {"counts", std::move(counts)}});
  return document(scene, std::move(masks));
}

Bytes encode_polygons(const Scene& scene) {
  std::vector<Json> lists(static_cast<std::size_t>(scene.labels.count()), Json::array());
  for (const Polygon& polygon : trace_without_holes(scene.labels)) {
    Json numbers = Json::array();
    for (const Point point : polygon.outside) {
      numbers.push_back(point.x);
      numbers.push_back(point.y);
    }
    lists[static_cast<std::size_t>(polygon.label)].push_back(std::move(numbers));
  }
  return document(scene, std::move(lists));
}

}  // namespace cli
