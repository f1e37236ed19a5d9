// SPDX-License-Identifier: MIT
// segment_memory() against the bytes that the whole process holds at its peak. A program of its
// own.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <compiled/double.hpp>
#include <cstddef>
#include <diffseg/attention/top_k.hpp>
#include <iostream>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/heap.hpp"

namespace {

std::atomic<std::ptrdiff_t> held{0};
std::atomic<std::ptrdiff_t> most{0};

}  // namespace

bool support::may_take(std::size_t /*bytes*/) {
  return true;
}

void support::taken(void* place, std::size_t /*bytes*/) {
  const auto now = held += static_cast<std::ptrdiff_t>(malloc_usable_size(place));
  auto seen = most.load();
  while (now > seen && !most.compare_exchange_weak(seen, now)) {
  }
}

void support::given(void* place) {
  held -= static_cast<std::ptrdiff_t>(malloc_usable_size(place));
}

namespace {

using namespace diffseg;
using namespace diffseg::detail;

/// Bytes held at the peak of body() beyond those before it.
template <class Body>
double peak_of(const Body& body) {
  const auto before = held.load();
  most = before;
  body();
  return static_cast<double>(most - before);
}

/// Attention of one head: a cell looks at its neighbours and prefers its own diagonal band.
Layer bands(GridSize grid) {
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(grid.cells() * grid.cells()));
  const auto place = [&](Index cell) {
    return std::pair{static_cast<double>(cell / grid.width) / static_cast<double>(grid.height),
                     static_cast<double>(cell % grid.width) / static_cast<double>(grid.width)};
  };
  for (Index query = 0; query < grid.cells(); ++query) {
    const auto [y, x] = place(query);
    const auto row = static_cast<std::ptrdiff_t>(values.size());
    float sum = 0;
    for (Index key = 0; key < grid.cells(); ++key) {
      const auto [v, u] = place(key);
      const double far = ((y - v) * (y - v) + (x - u) * (x - u)) / 0.08;
      const bool own = std::floor(4 * y + 2 * x) == std::floor(4 * v + 2 * u);
      values.push_back(static_cast<float>((own ? 1 : 0.2) / (1 + far * far) + 1e-4));
      sum += values.back();
    }
    std::for_each(values.begin() + row, values.end(), [&](float& value) { value /= sum; });
  }
  return Layer::owning(std::move(values), 1, grid);
}

Layers some_layers(GridSize finest) {
  Layers layers;
  for (const Index part : {1, 2, 4}) {
    layers.push_back(bands({finest.height / part, finest.width / part}));
  }
  return layers;
}

/// The same as queries and keys, waves over the grid; `numbers` keeps them.
Layers some_products(GridSize finest, std::vector<std::vector<float>>& numbers) {
  Layers layers;
  for (const Index part : {1, 2, 4}) {
    const GridSize grid{finest.height / part, finest.width / part};
    auto& values = numbers.emplace_back();
    for (Index cell = 0; cell < grid.cells(); ++cell) {
      const double y = static_cast<double>(cell / grid.width) / static_cast<double>(grid.height);
      const double x = static_cast<double>(cell % grid.width) / static_cast<double>(grid.width);
      for (const double angle : {3 * y, 3 * x, 6 * y, 6 * x}) {
        values.push_back(static_cast<float>(4 * std::cos(angle)));
        values.push_back(static_cast<float>(4 * std::sin(angle)));
      }
    }
    layers.push_back(Layer::queries_and_keys(values.data(), values.data(), 1, 8, grid));
  }
  return layers;
}

/// Measures a whole segment() and holds the estimate against it.
template <class Scalar>
void check_estimate(const char* what, const Layers& layers, const SegmentOptions& options) {
  (void)segment<Scalar>(layers, options);  // threads and caches are there from now on
  Segmentation<Scalar> out;
  const double peak = peak_of([&] { segment(layers, options, out); });
  const SegmentMemory memory = segment_memory<Scalar>(layers, options);
  const auto pairs = static_cast<double>(out.similarities.divergences.size());
  const double share = static_cast<double>(out.similarities.divergences.nonZeros()) / pairs;
  const double ratio = memory.total() / peak;
  std::cout << what << ", " << thread_count() << " threads: estimated " << memory.total() / 1e6
            << " MB, held " << peak / 1e6 << " MB, ratio " << ratio << "; maps "
            << memory.maps / 1e6 << " MB, " << 100 * share << " % of the pairs match\n";
  CHECK(share <= 0.15);
  CHECK(ratio >= 1.0);
  CHECK(ratio <= 1.3);
  // With its own share it stays above.
  CHECK(segment_memory<Scalar>(layers, options, share).total() >= peak);
}

}  // namespace

TEST_CASE("bytes that are held are counted however they are asked for", "[memory][unit]") {
  REQUIRE(std::abs(peak_of([] { Buffer<char>{Index{1 << 20}}.setZero(); }) - (1 << 20)) < 8192);
  REQUIRE(std::abs(peak_of([] { std::vector<char>(1 << 20).back() = 1; }) - (1 << 20)) < 8192);
  REQUIRE(peak_of([] {
            for (int i = 0; i < 4; ++i) std::vector<char>(1 << 20).back() = 1;
          }) < (1 << 20) + 8192);
  struct alignas(128) Wide {
    char bytes[128];
  };
  REQUIRE(peak_of([] { std::vector<Wide>(1 << 13).back() = Wide{}; }) >= 1 << 20);
}

TEST_CASE("segment_memory foretells the peak of segment", "[memory][law]") {
  const Layers square = some_layers({64, 64});
  for (const int threads : {1, 2, 4}) {
    const ThreadLimit limit(threads);
    check_estimate<float>("64 x 64", square, {});
  }
  const ThreadLimit limit(2);
  check_estimate<float>("64 x 64, balanced", square, SegmentOptions::balanced());
  check_estimate<float>("64 x 64, one threshold", square, {.merge = {.thresholds = {0.5}}});
  check_estimate<float>("64 x 64, 8 x 8 anchors", square, {.compare = {.anchors = {8, 8}}});
  check_estimate<float>("64 x 64 to 48 x 60", square, {.aggregate = {.grid = {48, 60}}});
  Layers sparse = square;
  for (Layer& layer : sparse) layer = top_k(layer, layer.keys.cells() / 2);
  check_estimate<float>("64 x 64, sparse", sparse, {});
  check_estimate<float>("56 x 80", some_layers({56, 80}), {.assign = {.size = {448, 640}}});
  check_estimate<double>("48 x 64 in double", some_layers({48, 64}), {});
}

TEST_CASE("segment_memory foretells the peak with queries and keys", "[memory][law]") {
  const ThreadLimit limit(2);
  std::vector<std::vector<float>> numbers;
  const Layers layers = some_products({64, 64}, numbers);
  check_estimate<float>("64 x 64, queries and keys", layers, {});
  check_estimate<float>("64 x 64 to 50 x 50, queries and keys", layers,
                        {.aggregate = {.grid = {50, 50}}});
}

TEST_CASE("no call holds more than the budget whatever matches", "[memory][law]") {
  const ThreadLimit limit(2);
  const GridSize grid{48, 40};
  // The same map everywhere, almost: all pairs match.
  std::vector<float> values(static_cast<std::size_t>(grid.cells() * grid.cells()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 7 == 0 ? 1.1F : 1.0F;
  const Layers flat = {Layer::owning(std::move(values), 1, grid)};
  const Layers banded = {bands(grid)};
  SegmentOptions options;
  (void)segment(flat, options);  // threads and caches are there from now on
  options.memory_budget = static_cast<Index>(segment_memory(flat, options).total()) + 1;
  const auto within = [&](const auto& body) {
    const double peak = peak_of(body);
    std::cout << "budget " << options.memory_budget << ", held " << peak << '\n';
    CHECK(peak <= static_cast<double>(options.memory_budget));
  };
  std::string text;
  within([&] { text = support::complaint([&] { (void)segment(flat, options); }); });
  INFO(text);
  REQUIRE_THAT(text, support::Contains("(100 %), got"));
  options.memory_budget = std::stol(text.substr(text.find("least ") + 6));
  // In turns with an image of other pairs, and one of another grid, in the same storage.
  within([&] {
    Segmentation<float> out;
    for (int round = 0; round < 2; ++round) {
      segment(flat, options, out);
      REQUIRE(out.similarities.divergences.nonZeros() == 256 * grid.cells());
      segment(banded, options, out);
      segment(Layers{bands({46, 42})}, options, out);
    }
  });
}

TEST_CASE("what the budget does not hold is refused before it is allocated", "[memory][unit]") {
  const Layers layers = some_layers({64, 64});
  SegmentOptions options;
  options.memory_budget = 50'000'000;
  std::string text;
  const double peak =
      peak_of([&] { text = support::complaint([&] { (void)segment(layers, options); }); });
  REQUIRE_THAT(text, support::Contains("segment: memory_budget must be at least"));
  REQUIRE(peak < 100'000);
}

TEST_CASE("FitBorders takes less than four planes of the photo", "[memory][law]") {
  const GridSize size{1500, 2000};
  Image<float> photo(size, 3, {});
  Labels labels{size, {}, {}};
  unsigned noise = 1;
  for (Index i = 0; i < size.cells(); ++i) {
    const Index y = i / size.width;
    const Index x = i % size.width;
    for (int channel = 0; channel < 3; ++channel) {
      noise = noise * 1664525U + 1013904223U;
      photo.values.push_back(static_cast<float>((x / 37 + y / 53) % 3) * 0.3F +
                             static_cast<float>(noise >> 8) * 0x1p-26F);
    }
    labels.values.push_back(static_cast<std::int32_t>((x + y / 3) * 5 / 2700 + 5 * (y * 4 / 1500)));
  }
  labels.proposals.resize(20);
  labels.check("test");
  const double plane = 4.0 * static_cast<double>(size.cells());
  for (const int threads : {1, 4}) {
    const ThreadLimit limit(threads);
    Labels fitted = FitBorders{}(labels, photo);  // threads and tables are there from now on
    REQUIRE(fitted.values != labels.values);
    fitted = {};
    const double peak = peak_of([&] { fitted = FitBorders{}(labels, photo); });
    std::cout << "FitBorders, " << threads << " threads: " << peak / plane << " planes\n";
    CHECK(peak > plane);
    CHECK(peak < 4 * plane);
  }
}
