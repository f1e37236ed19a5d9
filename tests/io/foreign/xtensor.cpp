// SPDX-License-Identifier: MIT
// xtensor's names first: <xtensor/xarray.hpp> moved to another folder in its version 0.26.
#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/views/xstrided_view.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xarray.hpp>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#endif

#include "expect.hpp"

namespace {

using Place = std::vector<diffseg::Index>;

/// The view shows what the expression of three axes holds.
template <class Expression>
bool same(const diffseg::TensorView& view, const Expression& expression) {
  return foreign::holds<float>(view, [&](const Place& at) {
    return expression(static_cast<std::size_t>(at[0]), static_cast<std::size_t>(at[1]),
                      static_cast<std::size_t>(at[2]));
  });
}

}  // namespace

int main() {
  foreign::Expect expect;
  xt::xarray<float> array = xt::arange<float>(0, 2 * 9 * 16);
  array.reshape({2, 9, 16});
  expect.that(same(diffseg::view(array), array), "an array");
  expect.that(diffseg::view(array).data == array.data(), "an array is not copied");
  const xt::xtensor<float, 3, xt::layout_type::column_major> columns = array;
  expect.that(diffseg::view(columns).strides == Place{1, 2, 18}, "column-major strides");
  expect.that(same(diffseg::view(columns), columns), "a column-major tensor");
  const auto part = xt::view(array, xt::all(), xt::range(1, 5), xt::range(3, 12));
  expect.that(same(diffseg::view(part), part), "a view with an offset");
  const auto layer = diffseg::layer_from(diffseg::view(part));
  expect.that(layer.head_step() == 144 && layer.query_step() == 16 && layer.keys.height == 3,
              "a layer of a view");
  const auto flipped =
      xt::strided_view(array, {xt::all(), xt::range(xt::placeholders::_, xt::placeholders::_, -1)});
  expect.that(same(diffseg::view(flipped), flipped), "a flipped view");
  expect.refused([&] { return diffseg::layer_from(diffseg::view(flipped)); }, "flipped");
  expect.refused([&] { return diffseg::layer_from(diffseg::view(columns)); }, "neighbours");
  const auto kept = diffseg::view(xt::xarray<float>(array));
  expect.that(same(kept, array) && kept.data != array.data(), "an array given away lives on");
  const xt::xtensor<double, 3> single = xt::ones<double>({1, 1, 1});
  expect.that(diffseg::layer_from(diffseg::view(single)).query_step() == 1, "extents of one");
  return expect.result();
}
