// SPDX-License-Identifier: MIT
// Refine: Proposals -> Proposals.
#pragma once

#include <utility>

#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/math/kmeans.hpp"
#include "diffseg/merge/detail/cluster_means.hpp"

namespace diffseg {

/// Proposals -> Proposals: Lloyd's KMeans over all T maps from the proposals as centres, as the
/// published code does (Tian et al., arXiv 2308.12469); the plain mean of the maps of each cluster
/// replaces the proposal that it began with, whose anchors it keeps. A cluster that ran empty
/// begins anew at the map farthest from its centre, and then has no anchors; one that ends empty is
/// left out. row_counts become the sizes of the clusters. RefineProjected comes near it in a
/// fraction of the time. Errors: std::invalid_argument for options out of range, proposals that do
/// not match their maps, none at all or more than maps.
struct Refine {
  using Stage = void;  ///< it may begin or follow a chain

  Index max_iterations = 300;  ///< >= 1, passes over all maps
  double tolerance = 1e-4;  ///< >= 0; stops when centres move less, relative to the mean variance

  /// The proposals as means of the maps nearest to them.
  template <class Scalar>
  [[nodiscard]] Proposals<Scalar> operator()(const Proposals<Scalar>& proposals) const {
    Proposals<Scalar> refined;
    (*this)(proposals, refined);
    return refined;
  }

  /// The same into `refined`, which may be `proposals`. After an exception it is empty.
  template <class Scalar>
  void operator()(const Proposals<Scalar>& proposals, Proposals<Scalar>& refined) const;

  /// The clusters alone: a label for each map, their centres and inertia.
  template <class Scalar>
  [[nodiscard]] detail::KMeansResult<Scalar> cluster(const Proposals<Scalar>& proposals) const {
    detail::check_refinable(proposals, "Refine");
    return detail::lloyd_kmeans(proposals.maps.rows(), proposals.rows,
                                {.max_iterations = max_iterations, .tolerance = tolerance});
  }
};

template <class Scalar>
void Refine::operator()(const Proposals<Scalar>& proposals, Proposals<Scalar>& refined) const {
  const bool alike = &proposals == &refined;
  Proposals<Scalar> old = std::exchange(refined, {});
  const Proposals<Scalar>& source = alike ? old : proposals;
  const Index tokens = source.maps.tokens();
  const detail::ProfileScope scope("Refine",
                                   2 * tokens * tokens * static_cast<Index>(sizeof(Scalar)));
  refined = detail::cluster_means(source, cluster(source),
                                  alike ? Matrix<Scalar>() : std::move(old.rows));
}

}  // namespace diffseg
