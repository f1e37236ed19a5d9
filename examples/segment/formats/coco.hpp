// SPDX-License-Identifier: MIT
// COCO's documents, which hold the keys of segment-anything's as well.
#pragma once

#include "scene.hpp"

namespace cli {

/// {image, images, annotations, categories}: an annotation for each label that has pixels, its mask
/// as compressed run lengths. What segment-anything tells of its prompts and its confidence does
/// not exist here and is null.
[[nodiscard]] Bytes encode_coco(const Scene& scene);

/// The same with polygons along the edges of pixels. COCO's have no holes, so a region with a hole
/// comes in pieces that touch.
[[nodiscard]] Bytes encode_polygons(const Scene& scene);

}  // namespace cli
