// SPDX-License-Identifier: MIT
// Numbers that no attention can hold, named.
#pragma once

#include "diffseg/core/parallel.hpp"
#include "diffseg/data/layer.hpp"

namespace diffseg::detail {

/// Names the first number of one query's dense rows that no attention can hold.
inline void refuse_invalid(const LayerSource& source, Index query) {
  const Layer& layer = *source.layer;
  for (Index head = 0; head < layer.heads; ++head) {
    const Index row = head * layer.head_step() + query * layer.query_step();
    const Index bad = find_invalid_attention(layer.type, layer.data, row, layer.keys.cells());
    if (bad < 0) continue;
    source.refuse_at(
        {"attention must be finite and >= 0, got ", number_at(layer.type, layer.data, row + bad)},
        ", head ", head, ", query ", query, ", key ", bad);
  }
}

/// Refuses queries and keys that are not finite, naming the first: scores would hide them.
inline void refuse_invalid_products(const LayerSource& source) {
  const Layer& layer = *source.layer;
  const auto check = [&](const void* data, Index first, Index count, Index step, Index head,
                         const char* what) {
    for (Index row = 0; row < count; ++row) {
      const Index bad = find_not_finite(layer.type, data, first + row * step, layer.depth);
      if (bad < 0) continue;
      source.refuse_at({"queries and keys must be finite, got ",
                        number_at(layer.type, data, first + row * step + bad)},
                       ", head ", head, ", ", what, ' ', row, ", number ", bad);
    }
  };
  parallel_for(layer.heads, [&](Index head) {
    check(layer.data, head * layer.head_step(), layer.queries.cells(), layer.query_step(), head,
          "query");
    check(layer.key_data, head * layer.key_head_step(), layer.keys.cells(), layer.key_step(), head,
          "key");
  });
}

}  // namespace diffseg::detail
