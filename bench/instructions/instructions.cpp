// SPDX-License-Identifier: MIT
// One small image through every stage, for check.cmake, which counts the instructions of the
// functions named count_*. One thread; nothing in it depends on a clock, a seed or libm.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <diffseg/segment.hpp>
#include <utility>
#include <vector>

namespace {

using namespace diffseg;

constexpr Index heads = 8;
constexpr Index depth = 40;
constexpr Index sides[] = {32, 16, 8};

/// Numbers in [0, 1), the same everywhere.
float noise() {
  static std::uint32_t state = 1;
  state = state * 1664525U + 1013904223U;
  return static_cast<float>(state >> 8) * 0x1p-24F;
}

/// A row of attention [side * side], of sum 1: a cell looks at its neighbours, more within its own
/// of four regions.
std::vector<float> row(Index side, Index query) {
  const auto region = [&](Index y, Index x) {
    return (2 * y + x < side ? 0 : 1) + (2 * x < side + y ? 0 : 2);
  };
  std::vector<float> values;
  float sum = 0;
  for (Index y = 0; y < side; ++y) {
    for (Index x = 0; x < side; ++x) {
      const Index dy = y - query / side;
      const Index dx = x - query % side;
      const float far = static_cast<float>(dy * dy + dx * dx) / static_cast<float>(side * side);
      const float share = region(y, x) == region(query / side, query % side) ? 1.0F : 0.1F;
      values.push_back(share * (0.9F + 0.2F * noise()) / (0.0003F + far * far));
      sum += values.back();
    }
  }
  for (float& value : values) value /= sum;
  return values;
}

/// No two heads are alike.
template <class Element>
Layer attention(Index side) {
  std::vector<Element> values;
  for (Index head = 0; head < heads; ++head) {
    for (Index query = 0; query < side * side; ++query) {
      for (const float value : row(side, query)) values.push_back(static_cast<Element>(value));
    }
  }
  return Layer::owning(std::move(values), heads, {side, side});
}

template <class Element>
Layers stack() {
  Layers layers;
  for (const Index side : sides) layers.push_back(attention<Element>(side));
  return layers;
}

std::vector<float> products_input() {
  std::vector<float> values(static_cast<std::size_t>(2 * sides[0] * sides[0] * depth));
  for (float& value : values) value = noise() - 0.5F;
  return values;
}

const Layers& single() {
  static const Layers layers = stack<float>();
  return layers;
}
const Layers& half() {
  static const Layers layers = stack<Eigen::half>();
  return layers;
}
const Layers& products() {
  static const std::vector<float> values = products_input();
  static const Layers layers = {
      Layer::queries_and_keys(values.data(), values.data(), 2, depth, {sides[0], sides[0]})};
  return layers;
}

const SegmentOptions options = {.compare = {.ceiling = 0.9}, .assign = {.size = {128, 128}}};
Segmentation<float> out;
Maps<float> other;

}  // namespace

// As segment() calls them. Each as a function of its own, whatever the compiler thinks of it.
extern "C" {
[[gnu::noinline]] void count_aggregate() {
  options.aggregate(single(), out.maps, out.workspace);
}
[[gnu::noinline]] void count_compare() {
  options.compare(out.maps, out.similarities, out.workspace);
}
[[gnu::noinline]] void count_merge() {
  options.merge(out.similarities, out.proposals, out.workspace);
}
[[gnu::noinline]] void count_assign() {
  options.assign(out.proposals, out.labels, out.workspace);
}
[[gnu::noinline]] void count_aggregate_f16() {
  options.aggregate(half(), other, out.workspace);
}
[[gnu::noinline]] void count_aggregate_products() {
  options.aggregate(products(), other, out.workspace);
}
}

int main() {
  const ThreadLimit limit(1);
  for (const auto* layers : {&single(), &half(), &products()}) {
    if (layers->empty()) return EXIT_FAILURE;
  }
  count_aggregate();
  count_compare();
  count_merge();
  count_assign();
  count_aggregate_f16();
  count_aggregate_products();
  // Counts compare where this line is the same.
  std::printf("built with %s, Eigen %d.%d.%d, %s\n", __VERSION__, EIGEN_WORLD_VERSION,
              EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION, Eigen::SimdInstructionSetsInUse());
  std::printf("%ld pairs, %ld proposals, %ld labels\n",
              static_cast<long>(out.similarities.divergences.nonZeros()),
              static_cast<long>(out.proposals.rows.rows()), static_cast<long>(out.labels.count()));
  return out.labels.count() > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
