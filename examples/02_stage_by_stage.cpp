// SPDX-License-Identifier: MIT
// A threshold slider: everything before Merge is computed once and kept.
#include <array>
#include <cmath>
#include <cstdio>
#include <diffseg/diffseg.hpp>

// A sky, a darker hill with a waving edge, and a red balloon in front of both.
diffseg::Image<float> scene(diffseg::Index height, diffseg::Index width) {
  diffseg::Image<float> photo{{height, width}, 3, {}};
  for (diffseg::Index y = 0; y < height; ++y) {
    for (diffseg::Index x = 0; x < width; ++x) {
      const double v = static_cast<double>(y) / static_cast<double>(height);
      const double u = static_cast<double>(x) / static_cast<double>(width);
      const bool balloon = std::hypot(u - 0.3, v - 0.35) < 0.18;
      const bool hill = v > 0.65 + 0.05 * std::sin(9.0 * u);
      const auto pixel = balloon ? std::array{0.8F, 0.2F, 0.15F}
                         : hill  ? std::array{0.25F, 0.45F, 0.2F}
                                 : std::array{0.5F, 0.7F, 0.95F};
      photo.values.insert(photo.values.end(), pixel.begin(), pixel.end());
    }
  }
  return photo;
}

int main() {
  const diffseg::Image<float> photo = scene(192, 256);

  const diffseg::Layers layers = diffseg::Affinity{.cells = 1024}(photo);
  const auto maps = diffseg::Aggregate{}(layers);
  // The ceiling is the highest threshold that the slider may ask for.
  const auto similarities = diffseg::Compare{.anchors = {8, 8}, .ceiling = 2.0}(maps);

  diffseg::Index previous = 0;
  bool good = true;
  for (const double threshold : {0.2, 0.9, 1.3, 2.0}) {
    const auto proposals = diffseg::Merge{.thresholds = {threshold, threshold}}(similarities);
    const auto labels = diffseg::Assign{.size = photo.size}(proposals);
    std::printf("threshold %.1f: %td segments\n", threshold, labels.count());
    good = good && labels.count() >= 1 && (previous == 0 || labels.count() <= previous);
    previous = labels.count();
  }
  return good ? 0 : 1;
}
