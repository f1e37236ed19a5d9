// SPDX-License-Identifier: MIT
#pragma once

#include "scene.hpp"

namespace cli {

/// A FeatureCollection: for each label that has pixels a MultiPolygon along the edges of pixels, in
/// pixels from the upper left corner, y down; label, name, area and colour as properties.
[[nodiscard]] Bytes encode_geojson(const Scene& scene);

}  // namespace cli
