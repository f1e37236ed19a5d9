// SPDX-License-Identifier: MIT
#include "geojson.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "json_bytes.hpp"
#include "regions.hpp"
#include "trace.hpp"

namespace cli {

namespace {

using Json = nlohmann::ordered_json;

/// The first corner comes again at the end.
Json closed(const Ring& ring) {
  Json points = Json::array();
  for (const Point point : ring) points.push_back({point.x, point.y});
  points.push_back({ring.front().x, ring.front().y});
  return points;
}

Json rings(const Polygon& polygon) {
  Json list = Json::array({closed(polygon.outside)});
  for (const Ring& hole : polygon.holes) list.push_back(closed(hole));
  return list;
}

}  // namespace

Bytes encode_geojson(const Scene& scene) {
  const auto extents = find_extents(scene.labels);
  const auto names = label_names(scene);
  std::vector<Json> coordinates(extents.size(), Json::array());
  for (const Polygon& polygon : trace(scene.labels))
    coordinates[static_cast<std::size_t>(polygon.label)].push_back(rings(polygon));
  Json features = Json::array();
  for (std::size_t label = 0; label < extents.size(); ++label) {
    if (extents[label].area == 0) continue;
    Json properties{{"label", label}, {"area", extents[label].area}};
    if (!names[label].empty()) properties["name"] = names[label];
    properties["color"] = scene.palette[label];
    features.push_back(
        {{"type", "Feature"},
         {"id", label},
         {"properties", std::move(properties)},
         {"geometry", {{"type", "MultiPolygon"}, {"coordinates", std::move(coordinates[label])}}}});
  }
  const auto [height, width] = scene.labels.size;
  return json_bytes({{"type", "FeatureCollection"},
                     {"file_name", scene.file},
                     {"width", width},
                     {"height", height},
                     {"features", std::move(features)}});
}

}  // namespace cli
