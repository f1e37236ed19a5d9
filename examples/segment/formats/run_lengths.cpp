// SPDX-License-Identifier: MIT
#include "run_lengths.hpp"

#include <algorithm>
#include <utility>

namespace cli {

using diffseg::Index;
using diffseg::Labels;

void RunLengths::add(Index begin, Index end) {
  append(begin - end_);
  append(end - begin);
  end_ = end;
}

std::string RunLengths::finish(Index cells) {
  if (end_ < cells || numbers_ == 0) append(cells - end_);
  return std::move(text_);
}

void RunLengths::append(Index count) {
  Index rest = numbers_ > 2 ? count - before_ : count;
  for (bool more = true; more;) {
    const Index bits = rest & 31;
    rest >>= 5;  // keeps the sign
    more = (bits & 16) != 0 ? rest != -1 : rest != 0;
    text_.push_back(static_cast<char>('0' + bits + (more ? 32 : 0)));
  }
  before_ = std::exchange(last_, count);
  ++numbers_;
}

namespace {

constexpr Index strip = 16;  // columns: a cache line of a row

/// columns [width of the strip][height] = the labels from column `x` on.
void turn_strip(const Labels& labels, Index x, Index width, std::int32_t* columns) {
  const Index height = labels.size.height;
  for (Index y = 0; y < height; ++y) {
    const std::int32_t* row = labels.values.data() + y * labels.size.width + x;
    for (Index i = 0; i < width; ++i) columns[i * height + y] = row[i];
  }
}

}  // namespace

std::vector<std::string> run_lengths(const Labels& labels) {
  const auto [height, width] = labels.size;
  std::vector<RunLengths> masks(static_cast<std::size_t>(labels.count()));
  std::vector<std::int32_t> columns(static_cast<std::size_t>(strip * height));
  std::int32_t current = labels.values.front();
  Index begin = 0;
  for (Index x = 0; x < width; x += strip) {
    const Index count = std::min(strip, width - x);
    turn_strip(labels, x, count, columns.data());
    for (Index i = 0; i < count * height; ++i) {
      const std::int32_t label = columns[static_cast<std::size_t>(i)];
      if (label == current) continue;
      masks[static_cast<std::size_t>(current)].add(begin, x * height + i);
      begin = x * height + i;
      current = label;
    }
  }
  masks[static_cast<std::size_t>(current)].add(begin, height * width);
  std::vector<std::string> texts;
  texts.reserve(masks.size());
  for (RunLengths& mask : masks) texts.push_back(mask.finish(height * width));
  return texts;
}

}  // namespace cli
