// SPDX-License-Identifier: MIT
// The masks.
#pragma once

#include <cstdint>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg {

/// One label per pixel.
struct Labels {
  GridSize size;                        ///< pixels
  std::vector<std::int32_t> values;     ///< [height, width], row-major; indices into `proposals`
  std::vector<std::int32_t> proposals;  ///< [label] index of the proposal behind each label

  /// How many labels there are, 0 .. count() - 1, whether or not a pixel has them.
  [[nodiscard]] Index count() const { return static_cast<Index>(proposals.size()); }

  /// Refuses values that are not as many as the extents say.
  void check_size(const char* stage) const {
    detail::require(detail::product_fits({size.height, size.width}) &&
                        static_cast<Index>(values.size()) == size.cells(),
                    stage, ": labels must have one value per pixel, got ", values.size(), " for ",
                    size.height, " x ", size.width);
  }
  /// Refuses besides values outside 0 .. count() - 1.
  void check(const char* stage) const {
    check_size(stage);
    bool sound = true;  // no early exit, so that it runs in packets
    for (const std::int32_t label : values) sound &= label >= 0 && label < count();
    for (std::size_t i = 0; !sound && i < values.size(); ++i) {
      detail::require(values[i] >= 0 && values[i] < count(), stage, ": labels must be in 0..",
                      count() - 1, ", got ", values[i]);
    }
  }
};

}  // namespace diffseg
