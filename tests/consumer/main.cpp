// SPDX-License-Identifier: MIT
// What a user's first program does: two regions that attend to themselves become two labels.
#include <cstdio>
#include <diffseg/diffseg.hpp>
#include <vector>

int main() {
  const diffseg::GridSize grid{8, 12};
  const auto region = [](diffseg::Index column, diffseg::Index width) {
    return column < width / 3 ? 0 : 1;
  };
  std::vector<float> attention;
  for (diffseg::Index query = 0; query < grid.cells(); ++query) {
    for (diffseg::Index key = 0; key < grid.cells(); ++key) {
      const int own = region(query % grid.width, grid.width);
      const float share = own == 0 ? 1.0F / 32 : 1.0F / 64;
      attention.push_back(own == region(key % grid.width, grid.width) ? share : 0.0F);
    }
  }
  const diffseg::GridSize size{16, 24};
  const diffseg::Layers layers{diffseg::Layer::view(attention.data(), 1, grid)};
  const diffseg::Labels labels =
      diffseg::segment(layers, {.compare = {.anchors = {2, 3}}, .assign = {.size = size}});

  bool right = labels.size == size && labels.count() == 2 &&
               static_cast<diffseg::Index>(labels.values.size()) == size.cells();
  for (diffseg::Index pixel = 0; right && pixel < size.cells(); ++pixel) {
    right =
        labels.values[static_cast<std::size_t>(pixel)] == region(pixel % size.width, size.width);
  }
  std::puts(right ? "two regions, two labels" : "wrong labels");
  return right ? 0 : 1;
}
