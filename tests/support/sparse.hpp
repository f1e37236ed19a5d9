// SPDX-License-Identifier: MIT
// Sparse layers, looked into.
#pragma once

#include <diffseg/data/layer.hpp>
#include <vector>

namespace support {

/// Where each row of each head begins, and the end of the last.
inline std::vector<diffseg::Index> starts_of(const diffseg::Layer& layer) {
  return {layer.row_starts, layer.row_starts + layer.heads * layer.queries.cells() + 1};
}

}  // namespace support
