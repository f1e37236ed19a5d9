// SPDX-License-Identifier: MIT
#include <array>
#include <mdspan>
#include <numeric>

#include "expect.hpp"

namespace {

using Place = std::vector<diffseg::Index>;
using Extents = std::dextents<int, 3>;

template <class Span>
bool same(const Span& span) {
  const auto offset = [&](const Place& at) {
    return span.mapping()(static_cast<int>(at[0]), static_cast<int>(at[1]),
                          static_cast<int>(at[2]));
  };
  return foreign::holds<float>(diffseg::view(span),
                               [&](const Place& at) { return span.data_handle()[offset(at)]; });
}

}  // namespace

int main() {
  foreign::Expect expect;
  std::vector<float> numbers(2 * 4 * 9);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  const std::mdspan<const float, Extents> rows(numbers.data(), 2, 4, 9);
  expect.that(same(rows), "layout_right");
  expect.that(diffseg::layer_from(diffseg::view(rows)).data == numbers.data(), "a layer");
  const std::mdspan<float, Extents, std::layout_left> columns(numbers.data(), 2, 4, 9);
  expect.that(same(columns), "layout_left");
  expect.refused([&] { return diffseg::layer_from(diffseg::view(columns)); }, "neighbours");
  const std::layout_stride::mapping<Extents> turned(Extents(4, 2, 9), std::array<int, 3>{9, 36, 1});
  const std::mdspan<float, Extents, std::layout_stride> strided(numbers.data(), turned);
  expect.that(same(strided), "layout_stride");
  return expect.result();
}
