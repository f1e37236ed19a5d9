// SPDX-License-Identifier: MIT
// Under -ffast-math the compiler may assume that there is no NaN; the library must find it anyway.
#include <cstdio>
#include <diffseg/diffseg.hpp>
#include <limits>
#include <stdexcept>
#include <vector>

int main() {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> attention(16, 0.25F);
    attention[5] = bad;
    const auto layer = diffseg::Layer::owning(std::move(attention), 1, {2, 2});
    try {
      static_cast<void>(diffseg::segment(diffseg::Layers{layer}, {.compare = {.anchors = {1, 1}}}));
    } catch (const std::invalid_argument& error) {
      std::puts(error.what());
      continue;
    }
    std::puts("a number that is not finite was taken");
    return 1;
  }
  return 0;
}
