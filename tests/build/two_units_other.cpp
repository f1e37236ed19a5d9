// SPDX-License-Identifier: MIT
#include <diffseg/diffseg.hpp>

diffseg::Labels segment_elsewhere(const diffseg::Layers& layers) {
  return diffseg::segment(layers, {.compare = {.anchors = {1, 1}}, .assign = {.size = {2, 2}}});
}
