// SPDX-License-Identifier: MIT
// What the fuzzers share: a reader may refuse anything, but only with an io_error, and what it
// hands out can be used.
#pragma once

#include <cstdlib>
#include <diffseg/io/detail/tensor_layer.hpp>

namespace fuzz {

/// The bytes as a file that is held by an owner, so that tensors are shared with it, or by none.
inline diffseg::FileBytes file_of(const std::uint8_t* data, std::size_t size, bool owned) {
  const auto bytes = std::as_bytes(std::span(data, size));
  return {"fuzz", bytes, owned ? std::shared_ptr<const void>(data, [](const void*) {}) : nullptr};
}

inline void require_true(bool condition) {
  if (!condition) std::abort();
}

/// Reads all numbers of a tensor, and makes it a layer if it can be one.
inline void use(const diffseg::Tensor& tensor) {
  std::size_t expected = diffseg::number_bytes(tensor.type);
  for (const diffseg::Index extent : tensor.shape) expected *= static_cast<std::size_t>(extent);
  require_true(tensor.bytes.size() == expected);
  require_true(tensor.as<double>().size() == static_cast<std::size_t>(tensor.count()));
  try {
    const auto layer = diffseg::layer_from(tensor);
    const diffseg::Index numbers = layer.heads * layer.queries.cells() * layer.keys.cells();
    require_true(numbers == tensor.count());
  } catch (const diffseg::io_error&) {  // many tensors are no attention
  }
}

/// Runs `read`, which may throw an io_error with a remedy.
template <class Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const diffseg::io_error& error) {
    require_true(std::string_view(error.what()).find("; ") != std::string_view::npos);
  }
}

}  // namespace fuzz
