// SPDX-License-Identifier: MIT
#pragma once

#include "scene.hpp"

namespace cli {

/// A table, its first row the names of the columns: label, name, area (pixels), share (0..1), left,
/// top, width, height, x, y (centroid), red, green, blue (mean, 0..255), neighbours (labels with
/// blanks between). Cells of what there is not are empty.
[[nodiscard]] Bytes encode_csv(const Scene& scene);

}  // namespace cli
