// SPDX-License-Identifier: MIT
// Numbers at addresses that do not suit their type, as archives and old files have them.
#pragma once

#include <cstddef>
#include <cstring>
#include <diffseg/data/layer.hpp>
#include <memory>
#include <vector>

namespace support {

/// Copies `bytes` to `shift` bytes behind an address that suits every type, and keeps them there.
inline std::shared_ptr<const std::byte> shifted(const void* from, std::size_t bytes,
                                                std::size_t shift) {
  auto kept = std::make_shared<std::vector<std::max_align_t>>(
      (bytes + shift) / sizeof(std::max_align_t) + 1);
  auto* const to = reinterpret_cast<std::byte*>(kept->data()) + shift;
  std::memcpy(to, from, bytes);
  return {kept, to};
}

/// The layer with its numbers `shift` bytes behind such an address; queries and keys both.
inline diffseg::Layer shifted(const diffseg::Layer& layer, std::size_t shift) {
  using diffseg::Index;
  using diffseg::LayerKind;
  const Index number = diffseg::detail::element_bytes(layer.type);
  const Index width = layer.kind == LayerKind::queries_keys ? layer.depth : layer.keys.cells();
  const auto bytes = [&](Index rows, Index row_step, Index head_step) {
    const Index last = (layer.heads - 1) * head_step + (rows - 1) * row_step;
    return static_cast<std::size_t>((last + width) * number);
  };
  const std::size_t size =
      layer.kind == LayerKind::sparse
          ? static_cast<std::size_t>(layer.row_starts[layer.heads * layer.queries.cells()] * number)
          : bytes(layer.queries.cells(), layer.query_step(), layer.head_step());
  const auto data = shifted(layer.data, size, shift);
  diffseg::Layer result = layer;
  result.data = data.get();
  std::shared_ptr<const std::byte> keys;
  if (layer.kind == LayerKind::queries_keys) {
    keys = shifted(layer.key_data,
                   bytes(layer.keys.cells(), layer.key_step(), layer.key_head_step()), shift);
    result.key_data = keys.get();
  }
  using Owners = std::vector<std::shared_ptr<const void>>;
  result.owner = std::make_shared<const Owners>(Owners{layer.owner, data, keys});
  return result;
}

}  // namespace support
