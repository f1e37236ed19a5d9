// SPDX-License-Identifier: MIT
// The masks.
#pragma once

#include <cstdint>
#include <vector>

#include "diffseg/core/types.hpp"

namespace diffseg {

/// One label per pixel.
struct Labels {
  GridSize size;                        ///< pixels
  std::vector<std::int32_t> values;     ///< [height, width], row-major; indices into `proposals`
  std::vector<std::int32_t> proposals;  ///< [label] index of the proposal behind each label

  [[nodiscard]] Index count() const { return static_cast<Index>(proposals.size()); }
};

}  // namespace diffseg
