// SPDX-License-Identifier: MIT
// First: without it clang finds the type incomplete in torch 1.13 as C++20.
#include <ATen/core/ivalue.h>
// After it.
#include <ATen/ATen.h>

#include "expect.hpp"

namespace {

using Place = std::vector<diffseg::Index>;

/// The view shows what a tensor of three axes holds.
bool same(const diffseg::TensorView& view, const at::Tensor& tensor) {
  return foreign::holds<float>(
      view, [&](const Place& at) { return tensor[at[0]][at[1]][at[2]].item<float>(); });
}

void check_views(foreign::Expect& expect) {
  const at::Tensor dense = at::arange(2 * 4 * 9, at::kFloat).view({2, 4, 9});
  expect.that(same(diffseg::view(dense), dense), "a tensor");
  const auto turned = dense.transpose(0, 1).slice(2, 1, 9);
  expect.that(same(diffseg::view(turned), turned), "a transposed slice");
  expect.that(diffseg::view(turned).data == static_cast<const float*>(dense.data_ptr()) + 1,
              "a slice is not copied");
  expect.that(diffseg::view(dense.to(at::kHalf)).type == diffseg::NumberType::f16, "half");
  expect.that(diffseg::view(dense.to(at::kBFloat16)).type == diffseg::NumberType::bf16, "bfloat16");
}

void check_layers(foreign::Expect& expect) {
  // Projections as a model has them: [batch, tokens, heads * depth], the heads side by side.
  const at::Tensor queries = at::rand({2, 16, 24}).view({2, 16, 3, 8}).transpose(1, 2);
  const auto image = diffseg::view(queries).at(0, 1);
  const auto layer = diffseg::queries_keys_from(image, image);
  expect.that(layer.heads == 3 && layer.depth == 8 && layer.head_step() == 8 &&
                  layer.query_step() == 24 && layer.queries.height == 4,
              "queries and keys");
  diffseg::Layer kept;
  {
    kept = diffseg::layer_from(diffseg::view(at::softmax(at::rand({2, 3, 16, 16}), -1)).merged(0));
  }
  float sum = 0;
  for (int key = 0; key < 16; ++key) sum += static_cast<const float*>(kept.data)[16 * 95 + key];
  expect.that(kept.heads == 6 && std::abs(sum - 1) < 1e-5F, "a tensor given away lives on");
  expect.refused([] { return diffseg::view(at::Tensor()); }, "defined");
  expect.refused(
      [] {
        return diffseg::view(at::zeros({2, 2}, at::kComplexFloat));
      },
      "torch type 9");
  expect.refused(
      [] {
        return diffseg::layer_from(diffseg::view(at::zeros({1, 4, 4}, at::kInt)));
      },
      "floating point");
  expect.refused([] { return diffseg::view(at::zeros({4, 4}).to_sparse()); }, "layout");
  expect.refused(
      [] {
        return diffseg::view(at::zeros({4, 4}, at::device(at::kMeta)));
      },
      "got meta");
  expect.refused(
      [] {
        return diffseg::layer_from(diffseg::view(at::zeros({1, 4, 4}).expand({2, 4, 4})));
      },
      "broadcast");
}

}  // namespace

int main() {
  foreign::Expect expect;
  check_views(expect);
  check_layers(expect);
  return expect.result();
}
