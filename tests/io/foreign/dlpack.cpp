// SPDX-License-Identifier: MIT
#include <dlpack/dlpack.h>

#include <numeric>

#include "expect.hpp"

namespace {

using Place = std::vector<diffseg::Index>;

DLTensor tensor_of(std::vector<float>& numbers, std::vector<std::int64_t>& shape) {
  DLTensor tensor{};
  tensor.data = numbers.data();
  tensor.device = {kDLCPU, 0};
  tensor.ndim = static_cast<int>(shape.size());
  tensor.dtype = {kDLFloat, 32, 1};
  tensor.shape = shape.data();
  return tensor;
}

int given_back = 0;

/// Managed is DLManagedTensor, or DLManagedTensorVersioned where the header has it.
template <class Managed>
void check_managed(foreign::Expect& expect, Managed managed) {
  given_back = 0;
  managed.deleter = [](Managed*) { ++given_back; };
  {
    const std::shared_ptr<Managed> kept(&managed, managed.deleter);
    const auto layer = diffseg::layer_from(diffseg::view(*kept, kept));
    expect.that(layer.data == managed.dl_tensor.data && layer.heads == 2, "a managed tensor");
  }
  expect.that(given_back == 1, "a managed tensor is given back once");
}

}  // namespace

int main() {
  foreign::Expect expect;
  std::vector<float> numbers(2 * 4 * 9);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  std::vector<std::int64_t> shape{2, 4, 9};
  DLTensor tensor = tensor_of(numbers, shape);
  expect.that(diffseg::view(tensor).strides == Place{36, 9, 1}, "no strides are dense ones");
  DLManagedTensor managed{};
  managed.dl_tensor = tensor;
  check_managed(expect, managed);
#ifdef DLPACK_MAJOR_VERSION
  DLManagedTensorVersioned versioned{};
  versioned.version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
  versioned.dl_tensor = tensor;
  check_managed(expect, versioned);
#endif
  std::vector<std::int64_t> strides{9, 18, 1};
  tensor.strides = strides.data();
  tensor.byte_offset = 4;
  const std::vector<std::int64_t> smaller{2, 4, 8};
  tensor.shape = const_cast<std::int64_t*>(smaller.data());
  expect.that(foreign::holds<float>(diffseg::view(tensor),
                                    [](const Place& at) {
                                      return static_cast<float>(9 * at[0] + 18 * at[1] + at[2] + 1);
                                    }),
              "strides and offset");
  tensor.dtype = {kDLBfloat, 16, 1};
  expect.that(diffseg::view(tensor).type == diffseg::NumberType::bf16, "bfloat16");
  tensor.dtype = {kDLComplex, 64, 1};
  expect.refused([&] { return diffseg::view(tensor); }, "DLPack kind 5 of 64 bits");
  tensor.device = {kDLCUDA, 0};
  expect.refused([&] { return diffseg::view(tensor); }, "DLPack device type 2");
  return expect.result();
}
