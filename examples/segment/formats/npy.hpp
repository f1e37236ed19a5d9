// SPDX-License-Identifier: MIT
#pragma once

#include "scene.hpp"

namespace cli {

/// The label ids as numpy's file of an int32 array [height, width].
[[nodiscard]] Bytes encode_npy(const Scene& scene);

}  // namespace cli
