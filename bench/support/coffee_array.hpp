// SPDX-License-Identifier: MIT
// The numbers of the bundled golden case.
#pragma once

#include <diffseg/data/layer.hpp>
#include <diffseg/io/npy.hpp>
#include <filesystem>
#include <string>

namespace bench {

using diffseg::GridSize;
using diffseg::Index;
using diffseg::Layer;
using diffseg::Layers;
using diffseg::Matrix;

/// The array NAME.npy of the golden case `coffee`.
inline diffseg::Tensor coffee_array(const std::string& name) {
  return diffseg::read_npy(std::filesystem::path(DIFFSEG_GOLDEN_DIR) / "coffee" / (name + ".npy"));
}

}  // namespace bench
