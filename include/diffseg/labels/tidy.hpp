// SPDX-License-Identifier: MIT
// Tidy: Labels -> Labels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>
#include <vector>

#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/data/labels.hpp"
#include "diffseg/labels/detail/absorb_small.hpp"
#include "diffseg/math/region_graph.hpp"

namespace diffseg {

/// Labels -> Labels without crumbs. First, on demand, every 4-connected region becomes a label of
/// its own; then regions that are too small, smallest first, go to the neighbouring region with the
/// longest shared border; then the labels with the fewest pixels do, region by region, until few
/// enough are left. Every pixel keeps or changes its label, ids come out compact and in the old
/// order, and a second pass changes nothing. `proposals` tells as before which proposal is behind a
/// label; labels that come from splitting one share its proposal. Errors: std::invalid_argument for
/// options outside their range, labels outside 0 .. count() - 1.
struct Tidy {
  using Stage = void;  ///< it may begin or follow a chain

  double min_area = 0.01;  ///< least share of the pixels that a region must have, 0..1
  bool split = false;      ///< every 4-connected region becomes a label
  Index max_labels = 0;    ///< at most so many labels are left, >= 1; 0: any number

  /// The labels tidied.
  [[nodiscard]] Labels operator()(const Labels& labels) const {
    Labels result;
    (*this)(labels, result);
    return result;
  }

  /// The same into `out`, reusing its storage. After an exception it is empty, or as it was if it
  /// is `labels` itself.
  void operator()(const Labels& labels, Labels& out) const {
    check(labels);
    Labels result;
    if (&labels != &out) result = std::exchange(out, {});
    const detail::ProfileScope scope("Tidy", labels.size.cells() * Index{8});
    detail::RegionGraph graph(labels.size, labels.values);
    // What a value of the graph means: at first its own label.
    std::vector<std::int32_t> origins(labels.proposals.size());
    std::iota(origins.begin(), origins.end(), 0);
    if (split) split_labels(graph, origins);
    detail::absorb_small(graph, min_area * static_cast<double>(labels.size.cells()));
    if (max_labels > 0) absorb_labels(graph, static_cast<Index>(origins.size()));
    write(graph, labels.proposals, origins, labels.size, result);
    out = std::move(result);
  }

 private:
  using Entry = std::pair<Index, Index>;  // pixels, region or label
  using Queue = std::priority_queue<Entry, std::vector<Entry>, std::greater<>>;

  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  void check(const Labels& labels) const {
    detail::require(detail::is_finite(min_area) && min_area >= 0 && min_area <= 1,
                    "Tidy: min_area must be in 0..1, got ", min_area);
    detail::require(max_labels >= 0, "Tidy: max_labels must be >= 1, or 0 for any number, got ",
                    max_labels);
    labels.check("Tidy");
    detail::require(!labels.values.empty(), "Tidy: labels must have at least 1 x 1 pixels, got ",
                    labels.size.height, " x ", labels.size.width);
  }

  /// Values become the regions' ranks by label, then by first pixel.
  static void split_labels(detail::RegionGraph& graph, std::vector<std::int32_t>& origins) {
    std::vector<Index> order(at(graph.count()));
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](Index a, Index b) { return graph.value(a) < graph.value(b); });
    std::vector<std::int32_t> values(order.size());
    origins.resize(order.size());
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      origins[rank] = graph.value(order[rank]);
      values[at(order[rank])] = static_cast<std::int32_t>(rank);
    }
    graph.set_values(std::move(values));
  }

  void absorb_labels(detail::RegionGraph& graph, Index values) const {
    std::vector<Index> areas(at(values), 0);
    std::vector<std::vector<Index>> regions(at(values));
    for (Index region = 0; region < graph.count(); ++region) {
      if (graph.find(region) != region) continue;
      areas[at(graph.value(region))] += graph.area(region);
      regions[at(graph.value(region))].push_back(region);
    }
    Queue queue;
    Index left = 0;
    for (Index value = 0; value < values; ++value) {
      if (areas[at(value)] == 0) continue;
      queue.emplace(areas[at(value)], value);
      ++left;
    }
    while (left > max_labels) {
      const auto [area, value] = queue.top();
      queue.pop();
      if (areas[at(value)] != area) continue;
      for (const Index changed : dissolve(graph, value, areas, regions)) {
        queue.emplace(areas[at(changed)], changed);
      }
      --left;
    }
  }

  /// Gives all regions of a label away, smallest first; the labels that got them.
  static std::vector<Index> dissolve(detail::RegionGraph& graph, Index value,
                                     std::vector<Index>& areas,
                                     std::vector<std::vector<Index>>& regions) {
    auto own = std::exchange(regions[at(value)], {});
    for (Index& region : own) region = graph.find(region);
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
    std::stable_sort(own.begin(), own.end(),
                     [&](Index a, Index b) { return graph.area(a) < graph.area(b); });
    std::vector<Index> changed;
    for (const Index region : own) {
      const Index area = graph.area(region);
      changed.push_back(graph.value(graph.absorb(region)));
      areas[at(changed.back())] += area;
    }
    areas[at(value)] = 0;
    return changed;
  }

  static void write(detail::RegionGraph& graph, const std::vector<std::int32_t>& proposals,
                    const std::vector<std::int32_t>& origins, GridSize size, Labels& out) {
    std::vector<std::int32_t> ids(origins.size(), -1);
    for (Index region = 0; region < graph.count(); ++region) {
      if (graph.find(region) == region) ids[at(graph.value(region))] = 0;
    }
    std::vector<std::int32_t> kept;
    for (std::size_t value = 0; value < ids.size(); ++value) {
      if (ids[value] < 0) continue;
      ids[value] = static_cast<std::int32_t>(kept.size());
      kept.push_back(proposals[at(origins[value])]);
    }
    out.size = size;
    out.proposals = std::move(kept);
    out.values.resize(at(size.cells()));
    graph.write(ids, out.values);
  }
};

}  // namespace diffseg
