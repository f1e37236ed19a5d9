// SPDX-License-Identifier: MIT
// Large allocations of the whole process, counted. A program of its own.
#include <atomic>
#include <cmath>
#include <compiled/double.hpp>
#include <cstddef>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/heap.hpp"

namespace {

constexpr std::size_t large = 64 * 1024;
std::atomic<int> count_of_large{0};

}  // namespace

bool support::may_take(std::size_t /*bytes*/) {
  return true;
}

void support::taken(void* /*place*/, std::size_t bytes) {
  count_of_large += bytes > large ? 1 : 0;
}

void support::given(void* /*place*/) {}

namespace {

using namespace diffseg;
using namespace diffseg::detail;

/// What makes one image different from another.
struct Scene {
  double reach;  // how far a cell looks, in sides of the grid
  int bands;     // regions: diagonal bands that it prefers to stay in
};

constexpr Scene first{0.22, 3};
constexpr Scene second{0.16, 5};
constexpr Index sides[] = {64, 32, 16, 8};

/// Attention at the shapes of SD 1.5, one head each.
Layers attention(const Scene& scene) {
  Layers layers;
  for (const Index side : sides) {
    std::vector<float> near;
    for (Index i = 0; i < side; ++i) {
      const double distance = static_cast<double>(i) / static_cast<double>(side) / scene.reach;
      near.push_back(static_cast<float>(std::exp(-distance * distance / 2)));
    }
    const auto band = [&](Index y, Index x) {
      return static_cast<int>(2 * y + x) * scene.bands / static_cast<int>(3 * side);
    };
    const auto weight = [&](Index from, Index to) {
      return near[static_cast<std::size_t>(std::abs(from - to))];
    };
    std::vector<float> values;
    values.reserve(static_cast<std::size_t>(side * side * side * side));
    for (Index query = 0; query < side * side; ++query) {
      const int own = band(query / side, query % side);
      for (Index y = 0; y < side; ++y) {
        const float vertical = weight(query / side, y);
        for (Index x = 0; x < side; ++x) {
          const float share = band(y, x) == own ? 1.0F : 0.2F;
          values.push_back(vertical * weight(query % side, x) * share + 1e-4F);
        }
      }
    }
    layers.push_back(Layer::owning(std::move(values), 1, {side, side}));
  }
  return layers;
}

/// Queries that are also keys: waves over the grid, so that neighbours resemble each other.
struct Waves {
  static constexpr Index heads = 2, depth = 8;
  std::vector<std::vector<float>> numbers;

  explicit Waves(const Scene& scene) {
    for (const Index side : sides) {
      auto& values = numbers.emplace_back();
      for (Index row = 0; row < heads * side * side; ++row) {
        const Index cell = row % (side * side);
        for (const Index at : {cell / side, cell % side}) {
          for (const int frequency : {1, 2}) {
            const double angle =
                3.1 * frequency * static_cast<double>(at) / static_cast<double>(side);
            values.push_back(static_cast<float>(std::cos(angle) / scene.reach));
            values.push_back(static_cast<float>(std::sin(angle) / scene.reach));
          }
        }
      }
    }
  }

  [[nodiscard]] Layers layers() const {
    Layers result;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const float* const values = numbers[i].data();
      result.push_back(Layer::queries_and_keys(values, values, heads, depth, {sides[i], sides[i]}));
    }
    return result;
  }
};

int allocations(const Layers& layers, Segmentation<float>& out) {
  const int before = count_of_large;
  segment(layers, {}, out);
  return count_of_large - before;
}

/// Two images in turns: only the first of each may allocate.
void check_reuse(const Layers& one, const Layers& other) {
  for (const int threads : {1, 2}) {
    const ThreadLimit limit(threads);
    Segmentation<float> out;
    REQUIRE(allocations(one, out) > 0);
    const auto matches = out.similarities.divergences.nonZeros();
    const Index proposals = out.proposals.rows.rows();
    REQUIRE(allocations(one, out) == 0);
    (void)allocations(other, out);
    REQUIRE(out.similarities.divergences.nonZeros() != matches);
    REQUIRE(out.proposals.rows.rows() != proposals);
    for (int round = 0; round < 2; ++round) {
      REQUIRE(allocations(one, out) == 0);
      REQUIRE(allocations(other, out) == 0);
    }
  }
}

}  // namespace

TEST_CASE("every way to a large allocation is counted", "[reuse][unit]") {
  const auto counted = [](const auto& allocate) {
    const int before = count_of_large;
    allocate();
    return count_of_large - before;
  };
  REQUIRE(counted([] { Buffer<char>{Index{64 * 1024 + 1}}.setZero(); }) == 1);
  REQUIRE(counted([] { std::vector<char>(large + 1).back() = 1; }) == 1);
  REQUIRE(counted([] { std::vector<char>(large).back() = 1; }) == 0);
  struct alignas(128) Wide {
    char bytes[128];
  };
  REQUIRE(counted([] { std::vector<Wide>(large / 128 + 1).back() = Wide{}; }) == 1);
}

TEST_CASE("a second image through the same results makes no large allocation", "[reuse][law]") {
  check_reuse(attention(first), attention(second));
}

TEST_CASE("a second image of queries and keys makes no large allocation", "[reuse][law]") {
  const Waves one(first);
  const Waves other(second);
  check_reuse(one.layers(), other.layers());
}
