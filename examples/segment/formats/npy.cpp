// SPDX-License-Identifier: MIT
#include "npy.hpp"

#include <diffseg/io/npy.hpp>

namespace cli {

Bytes encode_npy(const Scene& scene) {
  const diffseg::Labels& labels = scene.labels;
  const std::string front = diffseg::detail::npy_front(diffseg::detail::npy_descr<std::int32_t>(),
                                                       {labels.size.height, labels.size.width});
  const auto numbers = std::as_bytes(std::span(labels.values));
  const auto* const begin = reinterpret_cast<const unsigned char*>(numbers.data());
  Bytes bytes;
  bytes.reserve(front.size() + numbers.size());
  bytes.assign(front.begin(), front.end());
  bytes.insert(bytes.end(), begin, begin + numbers.size());
  return bytes;
}

}  // namespace cli
