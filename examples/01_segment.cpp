// SPDX-License-Identifier: MIT
// Attention tensors in memory -> one label per pixel, in one call.
#include <cstdio>
#include <diffseg/diffseg.hpp>
#include <vector>

// Self-attention [heads, n * n, n * n] of a scene with two halves: the cells of a half attend to
// each other ten times as much as to the rest. A diffusion model would hand such tensors out.
std::vector<float> two_halves(diffseg::Index heads, diffseg::Index n) {
  const diffseg::Index tokens = n * n;
  const auto left = [&](diffseg::Index token) { return token % n < n / 2; };
  std::vector<float> attention;
  for (diffseg::Index row = 0; row < heads * tokens; ++row) {
    for (diffseg::Index key = 0; key < tokens; ++key) {
      const float weight = left(row % tokens) == left(key) ? 10.0F : 1.0F;
      attention.push_back(weight / (5.5F * static_cast<float>(tokens)));
    }
  }
  return attention;
}

int main() {
  const std::vector<float> fine = two_halves(8, 16);
  const std::vector<float> coarse = two_halves(8, 8);
  // Views: nothing is copied, the vectors must stay alive during the call.
  const diffseg::Layers layers = {diffseg::Layer::view(fine.data(), 8, {16, 16}),
                                  diffseg::Layer::view(coarse.data(), 8, {8, 8})};

  const diffseg::Labels labels = diffseg::segment(layers, {.compare = {.anchors = {4, 4}},
                                                           .merge = {.thresholds = {0.5, 0.5}},
                                                           .assign = {.size = {128, 128}}});

  const auto label_at = [&](diffseg::Index y, diffseg::Index x) {
    return labels.values[static_cast<std::size_t>(y * labels.size.width + x)];
  };
  std::printf("%td segments; left %d, right %d\n", labels.count(), label_at(64, 32),
              label_at(64, 96));
  const bool good = labels.count() == 2 && label_at(64, 32) != label_at(64, 96) &&
                    label_at(0, 0) == label_at(127, 40);
  return good ? 0 : 1;
}
