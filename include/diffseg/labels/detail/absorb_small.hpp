// SPDX-License-Identifier: MIT
// Regions that are too small, given away.
#pragma once

#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "diffseg/math/region_graph.hpp"

namespace diffseg::detail {

/// Gives regions of fewer than `least` cells to their nearest() region, smallest first, until there
/// are none or nothing else is left. What a region joins is at least as large as itself, so a
/// border is looked at a logarithmic number of times.
inline void absorb_small(RegionGraph& graph, double least) {
  using Entry = std::pair<Index, Index>;  // cells, region
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  const auto push = [&](Index region) {
    if (static_cast<double>(graph.area(region)) < least) queue.emplace(graph.area(region), region);
  };
  for (Index region = 0; region < graph.count(); ++region) push(region);
  while (!queue.empty()) {
    const auto [area, region] = queue.top();
    queue.pop();
    if (graph.find(region) != region || graph.area(region) != area) continue;
    const Index whole = graph.absorb(region);
    if (whole == region && graph.area(whole) == area) return;  // nothing else is left
    push(whole);
  }
}

}  // namespace diffseg::detail
