// SPDX-License-Identifier: MIT
// RefineProjected: Proposals -> Proposals, along few directions. Brings Eigen's solver with it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/math/kmeans.hpp"
#include "diffseg/math/minibatch_kmeans.hpp"
#include "diffseg/math/pca.hpp"
#include "diffseg/merge/detail/cluster_means.hpp"

namespace diffseg {

/// What Refine does, on the scores of the maps along few principal components instead of the maps
/// themselves: several times faster, an approximation (docs/performance.md has its agreement). With
/// as many components as cells it is Refine. Errors as those of Refine.
struct RefineProjected {
  using Stage = void;  ///< it may begin or follow a chain
  /// How the scores are clustered.
  enum class Mode {
    passes,    ///< passes over all scores, as Lloyd's KMeans
    minibatch  ///< mini-batches first, then passes: for far more than 10,000 maps
  };

  Mode mode = Mode::passes;    ///< how
  Index components = 48;       ///< >= 1, of the scores; maps of as many cells are taken whole
  Index batch = 1024;          ///< >= 1, maps drawn at once by minibatch
  Index max_iterations = 300;  ///< >= 1, passes over all scores
  double tolerance = 1e-4;  ///< >= 0; stops when centres move less, relative to the mean variance
  std::uint64_t seed = 0;   ///< of the first directions and the batches

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

  /// The clusters alone: a label for each map; centres and inertia are those of the scores.
  template <class Scalar>
  [[nodiscard]] detail::KMeansResult<Scalar> cluster(const Proposals<Scalar>& proposals) const {
    check(proposals);
    const Matrix<Scalar>& rows = proposals.maps.rows();
    const detail::KMeansOptions options{.max_iterations = max_iterations, .tolerance = tolerance};
    if (components >= rows.rows()) return detail::lloyd_kmeans(rows, proposals.rows, options);
    const detail::Pca<Scalar> pca = fit(proposals.maps);
    const Matrix<Scalar> scores = pca.transform(rows);
    Matrix<Scalar> centres = pca.transform(proposals.rows);
    std::vector<Index> reseeded;
    if (mode == Mode::minibatch) {
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
    detail::require(components >= 1, "RefineProjected: components must be >= 1, got ", components);
    detail::require(batch >= 1, "RefineProjected: batch must be >= 1, got ", batch);
    detail::check_refinable(proposals, "RefineProjected");
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
};

template <class Scalar>
void RefineProjected::operator()(const Proposals<Scalar>& proposals,
                                 Proposals<Scalar>& refined) const {
  const bool alike = &proposals == &refined;
  Proposals<Scalar> old = std::exchange(refined, {});
  const Proposals<Scalar>& source = alike ? old : proposals;
  const Index tokens = source.maps.tokens();
  const detail::ProfileScope scope("RefineProjected",
                                   2 * tokens * tokens * static_cast<Index>(sizeof(Scalar)));
  refined = detail::cluster_means(source, cluster(source),
                                  alike ? Matrix<Scalar>() : std::move(old.rows));
}

}  // namespace diffseg
