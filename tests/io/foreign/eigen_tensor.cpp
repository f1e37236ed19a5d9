// SPDX-License-Identifier: MIT
#include "expect.hpp"
// After ours, which needs nothing of it.
#include <unsupported/Eigen/CXX11/Tensor>

namespace {

using Place = std::vector<diffseg::Index>;

template <class Tensor>
bool same(const diffseg::TensorView& view, const Tensor& tensor) {
  return foreign::holds<float>(view, [&](const Place& at) { return tensor(at[0], at[1], at[2]); });
}

}  // namespace

int main() {
  foreign::Expect expect;
  Eigen::Tensor<float, 3, Eigen::RowMajor> rows(2, 4, 9);
  for (Eigen::Index i = 0; i < rows.size(); ++i) rows.data()[i] = static_cast<float>(i);
  expect.that(same(diffseg::view(rows), rows), "a row-major tensor");
  const auto layer = diffseg::layer_from(diffseg::view(rows));
  expect.that(layer.data == rows.data() && layer.keys.height == 3, "a layer");
  Eigen::Tensor<float, 3> columns(2, 4, 9);
  for (Eigen::Index i = 0; i < columns.size(); ++i) columns.data()[i] = static_cast<float>(i);
  expect.that(same(diffseg::view(columns), columns), "a column-major tensor");
  expect.that(diffseg::view(columns).strides == Place{1, 2, 8}, "column-major strides");
  expect.refused([&] { return diffseg::layer_from(diffseg::view(columns)); }, "neighbours");
  const Eigen::TensorMap<const Eigen::Tensor<float, 3>> map(columns.data(), 4, 9, 2);
  expect.that(same(diffseg::view(map), map), "a map");
  return expect.result();
}
