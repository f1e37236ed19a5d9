// SPDX-License-Identifier: MIT
#include "trace.hpp"

#include <algorithm>
#include <array>
#include <diffseg/math/region_graph.hpp>
#include <numeric>
#include <span>
#include <utility>

namespace cli {

using diffseg::GridSize;
using diffseg::Index;
using diffseg::Labels;

namespace {

using Ids = std::vector<std::int32_t>;

std::size_t slot(Index i) {
  return static_cast<std::size_t>(i);
}

/// The 4-connected regions of a map of values.
struct Regions {
  GridSize size;
  Ids pixels;  // [height, width] region under each
  Ids values;  // [region]
};

Regions find_regions(GridSize size, std::span<const std::int32_t> values) {
  diffseg::detail::RegionGraph graph(size, values);
  Regions regions{size, Ids(values.size()), Ids(slot(graph.count()))};
  for (Index i = 0; i < graph.count(); ++i) regions.values[slot(i)] = graph.value(i);
  Ids numbers(slot(graph.count()));
  std::iota(numbers.begin(), numbers.end(), 0);
  graph.set_values(numbers);
  graph.write(numbers, regions.pixels);
  return regions;
}

/// Walks along the borders of regions, each upper edge of a pixel once.
class Tracer {
 public:
  explicit Tracer(const Regions& regions)
      : regions_(regions), seen_(regions.pixels.size()), polygons_(regions.values.size()) {}

  std::vector<Polygon> run() {
    const auto [height, width] = regions_.size;
    const std::int32_t* pixel = regions_.pixels.data();
    for (Index y = 0; y < height; ++y) {
      for (Index x = 0; x < width; ++x, ++pixel) {
        const bool upper_edge = y == 0 || pixel[-width] != *pixel;
        if (upper_edge && !seen_[slot(y * width + x)]) add(*pixel, follow(*pixel, y, x));
      }
    }
    return std::move(polygons_);
  }

 private:
  /// The first ring that a region meets, row by row, is its outside.
  void add(std::int32_t region, Ring ring) {
    Polygon& polygon = polygons_[slot(region)];
    polygon.label = regions_.values[slot(region)];
    polygon.outside.empty() ? polygon.outside.swap(ring) : polygon.holes.push_back(std::move(ring));
  }

  [[nodiscard]] bool has(std::int32_t region, Index y, Index x) const {
    const auto [height, width] = regions_.size;
    return y >= 0 && x >= 0 && y < height && x < width &&
           regions_.pixels[slot(y * width + x)] == region;
  }

  /// The ring that begins eastwards along the upper edge of a pixel of `region`. Where two pixels
  /// of it touch in a corner alone, the ring goes on along the other one: so no ring meets itself.
  Ring follow(std::int32_t region, Index y, Index x) {
    // East, south, west, north: the step, and the pixel right of it that begins at a corner.
    constexpr std::array<std::array<Index, 4>, 4> ways{
        {{1, 0, 0, 0}, {0, 1, -1, 0}, {-1, 0, -1, -1}, {0, -1, 0, -1}}};
    const std::pair start{x, y};
    Ring ring;
    std::size_t way = 0;
    do {
      if (way == 0) seen_[slot(y * regions_.size.width + x)] = true;
      x += ways[way][0];
      y += ways[way][1];
      const auto ahead = [&](std::size_t side) {
        return has(region, y + ways[side][3], x + ways[side][2]);
      };
      const std::size_t left = (way + 3) % 4;
      const std::size_t next = ahead(left) ? left : ahead(way) ? way : (way + 1) % 4;
      if (next != way) ring.push_back({static_cast<std::int32_t>(x), static_cast<std::int32_t>(y)});
      way = next;
    } while (way != 0 || std::pair{x, y} != start);
    return ring;
  }

  const Regions& regions_;
  std::vector<bool> seen_;  // [height, width] upper edges
  std::vector<Polygon> polygons_;
};

/// Row and region of the upper end of each hole, ascending.
std::vector<std::pair<Index, std::int32_t>> find_cuts(const std::vector<Polygon>& polygons) {
  std::vector<std::pair<Index, std::int32_t>> cuts;
  for (std::size_t region = 0; region < polygons.size(); ++region) {
    for (const Ring& hole : polygons[region].holes) {
      const auto top =
          std::min_element(hole.begin(), hole.end(), [](Point a, Point b) { return a.y < b.y; });
      cuts.emplace_back(top->y, static_cast<std::int32_t>(region));
    }
  }
  std::sort(cuts.begin(), cuts.end());
  return cuts;
}

/// A map in which a region has a new value from each of its cuts on; labels [value].
std::pair<Ids, Ids> cut(const Regions& regions,
                        const std::vector<std::pair<Index, std::int32_t>>& cuts) {
  Ids labels = regions.values;
  Ids current(labels.size());
  std::iota(current.begin(), current.end(), 0);
  Ids values(regions.pixels.size());
  auto next = cuts.begin();
  const Index width = regions.size.width;
  for (Index y = 0; y < regions.size.height; ++y) {
    for (; next != cuts.end() && next->first == y; ++next) {
      current[slot(next->second)] = static_cast<std::int32_t>(labels.size());
      labels.push_back(regions.values[slot(next->second)]);
    }
    for (Index i = y * width; i < (y + 1) * width; ++i)
      values[slot(i)] = current[slot(regions.pixels[slot(i)])];
  }
  return {std::move(values), std::move(labels)};
}

}  // namespace

std::vector<Polygon> trace(const Labels& labels) {
  return Tracer(find_regions(labels.size, labels.values)).run();
}

std::vector<Polygon> trace_without_holes(const Labels& labels) {
  const Regions whole = find_regions(labels.size, labels.values);
  std::vector<Polygon> polygons = Tracer(whole).run();
  const auto cuts = find_cuts(polygons);
  if (cuts.empty()) return polygons;
  const auto [values, piece_labels] = cut(whole, cuts);
  const Regions pieces = find_regions(labels.size, values);
  polygons = Tracer(pieces).run();
  for (Polygon& polygon : polygons) polygon.label = piece_labels[slot(polygon.label)];
  return polygons;
}

}  // namespace cli
