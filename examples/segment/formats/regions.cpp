// SPDX-License-Identifier: MIT
#include "regions.hpp"

#include <algorithm>
#include <utility>

namespace cli {

using diffseg::GridSize;
using diffseg::Image;
using diffseg::Index;
using diffseg::Labels;

namespace {

std::size_t at(Index i) {
  return static_cast<std::size_t>(i);
}

const std::int32_t* row_of(const Labels& labels, Index y) {
  return labels.values.data() + y * labels.size.width;
}

/// body(label, begin, end) for each run of equal labels of a row.
template <class Body>
void for_runs(const std::int32_t* row, Index width, const Body& body) {
  for (Index begin = 0, end = 0; begin < width; begin = end) {
    while (end < width && row[end] == row[begin]) ++end;
    body(row[begin], begin, end);
  }
}

/// The run [begin, end) of row `y` is part of it; x and y are sums for now.
void add_run(Extent& extent, Index y, Index begin, Index end) {
  if (extent.area == 0) extent = {0, begin, y, end, y, 0, 0};
  extent.area += end - begin;
  extent.left = std::min(extent.left, begin);
  extent.right = std::max(extent.right, end);
  extent.bottom = y + 1;
  extent.x += 0.5 * static_cast<double>((end - begin) * (begin + end));
  extent.y += (static_cast<double>(y) + 0.5) * static_cast<double>(end - begin);
}

/// [count] which of `from` positions each lies at.
std::vector<Index> positions(Index count, Index from) {
  std::vector<Index> list(at(count));
  for (Index i = 0; i < count; ++i) list[at(i)] = i * from / count;
  return list;
}

}  // namespace

std::vector<Extent> find_extents(const Labels& labels) {
  std::vector<Extent> extents(at(labels.count()));
  for (Index y = 0; y < labels.size.height; ++y) {
    for_runs(row_of(labels, y), labels.size.width, [&](std::int32_t label, Index begin, Index end) {
      add_run(extents[at(label)], y, begin, end);
    });
  }
  for (Extent& extent : extents) {
    if (extent.area == 0) continue;
    extent.x /= static_cast<double>(extent.area);
    extent.y /= static_cast<double>(extent.area);
  }
  return extents;
}

std::vector<std::array<double, 3>> mean_colours(const Labels& labels, const Image<float>& photo) {
  // Both are walked in the finer steps of the two, so that no pixel of either is passed over.
  const GridSize size{std::max(labels.size.height, photo.size.height),
                      std::max(labels.size.width, photo.size.width)};
  const std::vector<Index> label_at = positions(size.width, labels.size.width);
  const std::vector<Index> pixel_at = positions(size.width, photo.size.width);
  const bool grey = photo.channels == 1;
  std::vector<std::array<double, 3>> colours(at(labels.count()));
  std::vector<Index> counts(colours.size());
  for (Index y = 0; y < size.height; ++y) {
    const std::int32_t* label = row_of(labels, y * labels.size.height / size.height);
    const float* pixels = photo.values.data() +
                          y * photo.size.height / size.height * photo.size.width * photo.channels;
    for (Index x = 0; x < size.width; ++x) {
      const std::size_t id = at(label[label_at[at(x)]]);
      const float* pixel = pixels + pixel_at[at(x)] * photo.channels;
      for (std::size_t c = 0; c < 3; ++c) colours[id][c] += pixel[grey ? 0 : c];
      ++counts[id];
    }
  }
  for (std::size_t id = 0; id < colours.size(); ++id) {
    for (double& sum : colours[id]) sum /= static_cast<double>(std::max<Index>(1, counts[id]));
  }
  return colours;
}

std::vector<std::vector<std::int32_t>> find_neighbours(const Labels& labels) {
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  std::pair last{-1, -1};
  const auto meet = [&](std::int32_t a, std::int32_t b) {
    if (a == b || last == std::pair{a, b}) return;
    last = {a, b};
    pairs.push_back(last);
    pairs.emplace_back(b, a);
  };
  const auto settle = [&] {
    std::sort(pairs.begin(), pairs.end());
    pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  };
  std::size_t most = 1 << 16;
  for (Index y = 0; y < labels.size.height; ++y) {
    const std::int32_t* row = row_of(labels, y);
    for (Index x = 1; x < labels.size.width; ++x) meet(row[x - 1], row[x]);
    for (Index x = 0; y > 0 && x < labels.size.width; ++x) meet(row[x - labels.size.width], row[x]);
    if (pairs.size() < most) continue;
    settle();
    most = std::max(most, 2 * pairs.size());
  }
  settle();
  std::vector<std::vector<std::int32_t>> neighbours(at(labels.count()));
  for (const auto& [from, to] : pairs) neighbours[at(from)].push_back(to);
  return neighbours;
}

std::vector<Square> find_squares(const Labels& labels) {
  const Index width = labels.size.width;
  std::vector<Square> squares(at(labels.count()));
  // Sides of the largest squares whose last pixel is this one; one row, of which the part from here
  // on is still that of the row above.
  std::vector<Index> sides(at(width));
  for (Index y = 0; y < labels.size.height; ++y) {
    const std::int32_t* row = row_of(labels, y);
    Index corner = 0;  // above and left of here
    for (Index x = 0; x < width; ++x) {
      const bool grows = y > 0 && x > 0 && row[x] == row[x - 1] && row[x] == row[x - width] &&
                         row[x] == row[x - width - 1];
      const Index side = grows ? 1 + std::min({corner, sides[at(x)], sides[at(x - 1)]}) : 1;
      corner = std::exchange(sides[at(x)], side);
      Square& best = squares[at(row[x])];
      if (side > best.side) best = {x + 1 - side, y + 1 - side, side};
    }
  }
  return squares;
}

Labels resized(const Labels& labels, GridSize size) {
  Labels result{size, {}, labels.proposals};
  result.values.reserve(at(size.cells()));
  const std::vector<Index> from = positions(size.width, labels.size.width);
  for (Index y = 0; y < size.height; ++y) {
    const std::int32_t* row = row_of(labels, y * labels.size.height / size.height);
    for (const Index x : from) result.values.push_back(row[x]);
  }
  return result;
}

}  // namespace cli
