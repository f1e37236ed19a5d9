// SPDX-License-Identifier: MIT
// Both units include everything: a function that is not inline would not link.
#include <diffseg/diffseg.hpp>

diffseg::Labels segment_elsewhere(const diffseg::Layers& layers);

int main() {
  const diffseg::GridSize grid{2, 2};
  const auto layer = diffseg::Layer::owning(std::vector<float>(16, 0.25F), 1, grid);
  const diffseg::SegmentOptions options{.compare = {.anchors = {1, 1}}, .assign = {.size = grid}};
  const auto here = diffseg::segment(diffseg::Layers{layer}, options);
  return here.values == segment_elsewhere({layer}).values && here.count() == 1 ? 0 : 1;
}
