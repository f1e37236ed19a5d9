// SPDX-License-Identifier: MIT
// Proposals to be refined, and what refined ones must be.
#pragma once

#include <diffseg/data/proposals.hpp>
#include <diffseg/math/kmeans.hpp>
#include <numeric>

#include "support/catch.hpp"

namespace support {

using diffseg::Index;

/// `clusters` of the maps as proposals, all different.
template <class Scalar>
diffseg::Proposals<Scalar> some_proposals(const diffseg::Maps<Scalar>& maps, Index clusters) {
  diffseg::Proposals<Scalar> proposals;
  proposals.maps = maps;
  proposals.rows = diffseg::detail::kmeans_plus_plus(maps.rows(), clusters, 1);
  proposals.anchors.resize(static_cast<std::size_t>(clusters));
  for (Index k = 0; k < clusters; ++k) proposals.anchors[static_cast<std::size_t>(k)] = {k, k + 7};
  proposals.row_counts.assign(static_cast<std::size_t>(clusters), 3);
  proposals.per_iteration = {20, clusters};
  return proposals;
}

template <class Scalar>
void check_refined(const diffseg::Proposals<Scalar>& refined,
                   const diffseg::Proposals<Scalar>& before) {
  CHECK(refined.rows.cols() == before.rows.cols());
  CHECK(refined.rows.minCoeff() > 0);
  CHECK((refined.rows.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-5);
  CHECK(std::accumulate(refined.row_counts.begin(), refined.row_counts.end(), Index{0}) ==
        before.maps.tokens());
  CHECK(static_cast<Index>(refined.row_counts.size()) == refined.rows.rows());
  CHECK(static_cast<Index>(refined.anchors.size()) == refined.rows.rows());
  CHECK(refined.per_iteration == before.per_iteration);
  CHECK(&refined.maps.rows() == &before.maps.rows());
}

}  // namespace support
