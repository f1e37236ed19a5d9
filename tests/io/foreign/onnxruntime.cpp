// SPDX-License-Identifier: MIT
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "expect.hpp"

int main() {
  foreign::Expect expect;
  std::vector<float> numbers(2 * 4 * 9);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  const std::array<std::int64_t, 3> shape{2, 4, 9};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const auto tensor = Ort::Value::CreateTensor<float>(memory, numbers.data(), numbers.size(),
                                                      shape.data(), shape.size());
  const auto layer = diffseg::layer_from(diffseg::view(tensor));
  expect.that(layer.data == numbers.data() && layer.heads == 2 && layer.keys.height == 3,
              "a layer");
  std::vector<std::int64_t> whole(16);
  const auto integers =
      Ort::Value::CreateTensor<std::int64_t>(memory, whole.data(), whole.size(), shape.data(), 1);
  expect.refused([&] { return diffseg::layer_from(diffseg::view(integers)); }, "got [2]");
  diffseg::Layer kept;
  {
    Ort::AllocatorWithDefaultOptions allocator;
    auto own = Ort::Value::CreateTensor<float>(allocator, shape.data(), shape.size());
    std::ranges::copy(numbers, own.GetTensorMutableData<float>());
    kept = diffseg::layer_from(diffseg::view(std::move(own)));
  }
  expect.that(static_cast<const float*>(kept.data)[71] == 71, "a value given away lives on");
  return expect.result();
}
