// SPDX-License-Identifier: MIT
// What every refinement asks of proposals, and makes of clusters.
#pragma once

#include <numeric>
#include <utility>
#include <vector>

#include "diffseg/data/proposals.hpp"
#include "diffseg/math/kmeans_result.hpp"
#include "diffseg/math/row_means.hpp"

namespace diffseg::detail {

/// Refuses proposals that contradict themselves or are more than there are maps.
template <class Scalar>
void check_refinable(const Proposals<Scalar>& proposals, const char* stage) {
  proposals.check(stage);
  const Index count = proposals.rows.rows();
  require(count <= proposals.maps.tokens(), stage, ": proposals must be 1 .. the number of maps ",
          proposals.maps.tokens(), ", got ", count);
  require(static_cast<Index>(proposals.anchors.size()) == count, stage,
          ": there must be anchors for each proposal ", count, ", got ", proposals.anchors.size());
}

/// The plain mean of the maps of each cluster, which keeps the anchors of the proposal that it
/// began with unless it began anew; one that ended empty is left out. `storage` is what the result
/// may reuse.
template <class Scalar>
[[nodiscard]] Proposals<Scalar> cluster_means(const Proposals<Scalar>& proposals,
                                              const KMeansResult<Scalar>& clusters,
                                              Matrix<Scalar> storage) {
  std::vector<std::vector<Index>> members(static_cast<std::size_t>(proposals.rows.rows()));
  for (std::size_t map = 0; map < clusters.labels.size(); ++map) {
    members[static_cast<std::size_t>(clusters.labels[map])].push_back(static_cast<Index>(map));
  }
  std::vector<std::vector<Index>> anchors = proposals.anchors;
  for (const Index k : clusters.reseeded) anchors[static_cast<std::size_t>(k)].clear();
  Proposals<Scalar> result;
  result.maps = proposals.maps;
  result.rows = std::move(storage);
  result.per_iteration = proposals.per_iteration;
  std::vector<std::vector<Index>> sets;
  for (std::size_t k = 0; k < members.size(); ++k) {
    if (members[k].empty()) continue;
    result.row_counts.push_back(static_cast<Index>(members[k].size()));
    result.anchors.push_back(std::move(anchors[k]));
    sets.push_back(std::move(members[k]));
  }
  std::vector<Index> order(sets.size());
  std::iota(order.begin(), order.end(), Index{0});
  RowMeansScratch<Scalar> scratch;
  row_means<Scalar>(proposals.maps.rows(), sets, order, result.rows, scratch);
  return result;
}

}  // namespace diffseg::detail
