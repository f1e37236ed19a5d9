// SPDX-License-Identifier: MIT
#include <cstdint>
#include <diffseg/math/region_graph.hpp>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

using Values = std::vector<std::int32_t>;

std::size_t at(Index i) {
  return static_cast<std::size_t>(i);
}

/// Regions by flooding: the region of each pixel, numbered by first pixels.
std::vector<Index> flood(GridSize size, const Values& values) {
  std::vector<Index> regions(values.size(), -1);
  Index count = 0;
  for (Index first = 0; first < size.cells(); ++first) {
    if (regions[at(first)] >= 0) continue;
    std::vector<Index> open = {first};
    regions[at(first)] = count;
    while (!open.empty()) {
      const Index pixel = open.back();
      open.pop_back();
      const auto visit = [&](bool inside, Index next) {
        if (!inside || regions[at(next)] >= 0 || values[at(next)] != values[at(pixel)]) return;
        regions[at(next)] = count;
        open.push_back(next);
      };
      visit(pixel % size.width > 0, pixel - 1);
      visit(pixel % size.width + 1 < size.width, pixel + 1);
      visit(pixel >= size.width, pixel - size.width);
      visit(pixel + size.width < size.cells(), pixel + size.width);
    }
    ++count;
  }
  return regions;
}

/// [regions x regions] pixel sides shared.
Matrix<Index> borders(GridSize size, const std::vector<Index>& regions, Index count) {
  Matrix<Index> result = Matrix<Index>::Zero(count, count);
  for (Index i = 0; i < size.cells(); ++i) {
    const auto add = [&](bool inside, Index j) {
      if (!inside || regions[at(i)] == regions[at(j)]) return;
      ++result(regions[at(i)], regions[at(j)]);
      ++result(regions[at(j)], regions[at(i)]);
    };
    add(i % size.width + 1 < size.width, i + 1);
    add(i + size.width < size.cells(), i + size.width);
  }
  return result;
}

/// The values as the graph has them now.
Values written(RegionGraph& graph, GridSize size) {
  Values ids(16);
  std::iota(ids.begin(), ids.end(), 0);
  Values out(at(size.cells()));
  graph.write(ids, out);
  return out;
}

/// Regions, areas, values and nearest neighbours of `graph` are those of flooding its pixels.
void check_against_flooding(RegionGraph& graph, GridSize size, const Values& values) {
  const auto regions = flood(size, values);
  const Index count = 1 + *std::max_element(regions.begin(), regions.end());
  const auto shared = borders(size, regions, count);
  std::vector<Index> areas(at(count), 0);
  std::vector<std::int32_t> region_values(at(count));
  for (std::size_t i = 0; i < regions.size(); ++i) {
    ++areas[at(regions[i])];
    region_values[at(regions[i])] = values[i];
  }
  REQUIRE(graph.count() == count);
  for (Index region = 0; region < count; ++region) {
    CHECK(graph.find(region) == region);
    CHECK(graph.area(region) == areas[at(region)]);
    CHECK(graph.value(region) == region_values[at(region)]);
    Index longest = 0;
    const Index most = shared.row(region).maxCoeff(&longest);
    CHECK(graph.nearest(region) == (most == 0 ? -1 : longest));
  }
}

Values random_values(Random& random, GridSize size, Index count) {
  Values values;
  for (Index i = 0; i < size.cells(); ++i) {
    // Patches, so that regions have more than a pixel.
    const bool copy = i > 0 && random.integer(0, 2) > 0;
    values.push_back(copy ? values.back()
                          : static_cast<std::int32_t>(random.integer(0, count - 1)));
  }
  return values;
}

}  // namespace

TEST_CASE("RegionGraph finds the regions and borders that flooding finds", "[unit]") {
  Random random(73);
  INFO(random.note());
  for (int repeat = 0; repeat < 60; ++repeat) {
    const GridSize size = random.grid(1, 14);
    const Values values = random_values(random, size, random.integer(1, 5));
    RegionGraph graph(size, values);
    check_against_flooding(graph, size, values);
    CHECK(written(graph, size) == values);
  }
}

TEST_CASE("a RegionGraph that merged is the graph of its pixels", "[unit][law]") {
  Random random(74);
  INFO(random.note());
  for (int repeat = 0; repeat < 60; ++repeat) {
    const GridSize size = random.grid(2, 12);
    RegionGraph graph(size, random_values(random, size, random.integer(2, 5)));
    for (int step = 0; step < 8; ++step) {
      const Index region = graph.find(random.integer(0, graph.count() - 1));
      const Index other = graph.nearest(region);
      if (other < 0) break;
      const std::int32_t value = graph.value(other);
      const Index whole = graph.absorb(region);
      CHECK(graph.find(region) == whole);
      CHECK(graph.find(other) == whole);
      CHECK(graph.value(whole) == value);

      const Values values = written(graph, size);
      RegionGraph fresh(size, values);
      const auto regions = flood(size, values);
      CHECK(fresh.count() == 1 + *std::max_element(regions.begin(), regions.end()));
      std::vector<Index> roots;
      for (Index i = 0; i < graph.count(); ++i) {
        if (graph.find(i) == i) roots.push_back(i);
      }
      REQUIRE(static_cast<Index>(roots.size()) == fresh.count());
      std::vector<Index> areas;
      std::vector<Index> fresh_areas;
      for (const Index root : roots) areas.push_back(graph.area(root));
      for (Index i = 0; i < fresh.count(); ++i) fresh_areas.push_back(fresh.area(i));
      std::sort(areas.begin(), areas.end());
      std::sort(fresh_areas.begin(), fresh_areas.end());
      CHECK(areas == fresh_areas);
    }
  }
}
