// SPDX-License-Identifier: MIT
// Refine: Proposals -> Proposals.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/data/proposals.hpp"
#include "diffseg/math/kmeans.hpp"
#include "diffseg/math/minibatch_kmeans.hpp"
#include "diffseg/math/pca.hpp"
#include "diffseg/math/row_means.hpp"

namespace diffseg {

/// What Refine clusters, and how.
enum class RefineMode {
  projected,  ///< scores along few components, passes over all: near `lloyd`, several times faster
  minibatch,  ///< the same scores, mini-batches first: for far more than 10,000 maps
  lloyd       ///< the maps themselves, as the published code does
};

/// Proposals -> Proposals: KMeans over all T maps from the proposals as centres (Tian et al., arXiv
/// 2308.12469); the plain mean of the maps of each cluster replaces the proposal that it began
/// with, whose anchors it keeps. A cluster that ran empty begins anew at the map farthest from its
/// centre, and then has no anchors; one that ends empty is left out. row_counts become the sizes of
/// the clusters. Errors: std::invalid_argument for options out of range, proposals that do not
/// match their maps, none at all or more than maps.
struct Refine {
  RefineMode mode = RefineMode::projected;
  Index components = 48;       ///< >= 1, of the scores; maps of as many cells are taken whole
  Index batch = 1024;          ///< >= 1, maps drawn at once by minibatch
  Index max_iterations = 300;  ///< >= 1, passes over all maps or scores
  double tolerance = 1e-4;  ///< >= 0; stops when centres move less, relative to the mean variance
  std::uint64_t seed = 0;   ///< of the first directions and the batches

  template <class Scalar>
  [[nodiscard]] Proposals<Scalar> operator()(const Proposals<Scalar>& proposals) const {
    Proposals<Scalar> refined;
    (*this)(proposals, refined);
    return refined;
  }

  /// The same into `refined`, reusing its storage.
  template <class Scalar>
  void operator()(const Proposals<Scalar>& proposals, Proposals<Scalar>& refined) const {
    const Index tokens = proposals.maps.empty() ? 0 : proposals.maps.tokens();
    const detail::ProfileScope scope("Refine",
                                     2 * tokens * tokens * static_cast<Index>(sizeof(Scalar)));
    take_means(proposals, cluster(proposals), refined);
  }

  /// The clusters alone: a label for each map; unless the mode is lloyd, centres and inertia are
  /// those of the scores.
  template <class Scalar>
  [[nodiscard]] detail::KMeansResult<Scalar> cluster(const Proposals<Scalar>& proposals) const {
    check(proposals);
    const Matrix<Scalar>& rows = proposals.maps.rows();
    const detail::KMeansOptions options{.max_iterations = max_iterations, .tolerance = tolerance};
    if (mode == RefineMode::lloyd || components >= rows.rows()) {
      return detail::lloyd_kmeans(rows, proposals.rows, options);
    }
    const detail::Pca<Scalar> pca = fit(proposals.maps);
    const Matrix<Scalar> scores = pca.transform(rows);
    Matrix<Scalar> centres = pca.transform(proposals.rows);
    std::vector<Index> reseeded;
    if (mode == RefineMode::minibatch) {
      auto started = detail::minibatch_kmeans(scores, centres, {.batch = batch, .seed = seed});
      centres = std::move(started.centres);
      reseeded = std::move(started.reseeded);
    }
    auto result = detail::lloyd_kmeans(scores, centres, options);
    result.reseeded.insert(result.reseeded.begin(), reseeded.begin(), reseeded.end());
    return result;
  }

 private:
  template <class Scalar>
  void check(const Proposals<Scalar>& proposals) const {
    const Index tokens = proposals.maps.empty() ? 0 : proposals.maps.tokens();
    const Index count = proposals.rows.rows();
    detail::require(components >= 1, "Refine: components must be >= 1, got ", components);
    detail::require(batch >= 1, "Refine: batch must be >= 1, got ", batch);
    detail::require(count >= 1 && count <= tokens,
                    "Refine: proposals must be 1 .. the number of maps ", tokens, ", got ", count);
    detail::require(proposals.rows.cols() == tokens, "Refine: proposals must have ", tokens,
                    " cells, those of their maps, got ", proposals.rows.cols());
    detail::require(static_cast<Index>(proposals.anchors.size()) == count,
                    "Refine: there must be anchors for each proposal ", count, ", got ",
                    proposals.anchors.size());
  }

  /// The components of every third map, on diagonals of the grid: neighbours resemble each other,
  /// so these are enough to find the directions in which all differ.
  template <class Scalar>
  [[nodiscard]] detail::Pca<Scalar> fit(const Maps<Scalar>& maps) const {
    detail::PcaOptions options{.components = components,
                               .power_iterations = (components + 15) / 16 - 1,
                               .oversampling = 0,
                               .seed = seed};
    const Index width = maps.grid().width;
    for (Index token = 0; maps.tokens() >= 12 * components && token < maps.tokens(); ++token) {
      if ((token / width + token % width) % 3 == 0) options.sample.push_back(token);
    }
    return detail::fit_pca(maps.rows(), options);
  }

  template <class Scalar>
  static void take_means(const Proposals<Scalar>& proposals,
                         const detail::KMeansResult<Scalar>& clusters, Proposals<Scalar>& refined) {
    std::vector<std::vector<Index>> members(static_cast<std::size_t>(proposals.rows.rows()));
    for (std::size_t map = 0; map < clusters.labels.size(); ++map) {
      members[static_cast<std::size_t>(clusters.labels[map])].push_back(static_cast<Index>(map));
    }
    std::vector<std::vector<Index>> anchors = proposals.anchors;
    for (const Index k : clusters.reseeded) anchors[static_cast<std::size_t>(k)].clear();
    refined.maps = proposals.maps;
    refined.per_iteration = proposals.per_iteration;
    refined.anchors.clear();
    refined.row_counts.clear();
    std::vector<std::vector<Index>> sets;
    for (std::size_t k = 0; k < members.size(); ++k) {
      if (members[k].empty()) continue;
      refined.row_counts.push_back(static_cast<Index>(members[k].size()));
      refined.anchors.push_back(std::move(anchors[k]));
      sets.push_back(std::move(members[k]));
    }
    std::vector<Index> order(sets.size());
    std::iota(order.begin(), order.end(), Index{0});
    detail::row_means(proposals.maps.rows(), sets, order, refined.rows);
  }
};

}  // namespace diffseg
