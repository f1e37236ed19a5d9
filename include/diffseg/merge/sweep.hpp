// SPDX-License-Identifier: MIT
// Sweep: Similarities -> what every threshold would give.
#pragma once

#include <algorithm>
#include <vector>

#include "diffseg/data/sweep_point.hpp"
#include "diffseg/merge/detail/partitions.hpp"
#include "diffseg/merge/merge.hpp"

namespace diffseg {

/// Similarities -> one SweepPoint for each threshold: the proposals of Merge with that threshold in
/// every iteration, their cells, and what these say of the maps. Nothing is compared again, and
/// every map is read once for all information figures. The score is that of the deterministic
/// information bottleneck (Strouse & Schwab, Neural Computation 29, 2017, arXiv 1604.00268), its
/// first term divided by what all cells tell. Errors: std::invalid_argument for thresholds that
/// Merge refuses or none at all, iterations below 1, a lambda that is negative or not finite.
struct Sweep {
  using Stage = void;  ///< it may begin or follow a chain

  std::vector<double> thresholds;  ///< nats, > 0, at most the ceiling of the similarities
  Index iterations = 3;            ///< of Merge, >= 1
  double lambda = 0.22;            ///< >= 0; what a nat of entropy costs in SweepPoint::score

  /// In the order of the thresholds.
  template <class Scalar>
  [[nodiscard]] std::vector<SweepPoint> operator()(const Similarities<Scalar>& similarities) const {
    Workspace workspace;
    return (*this)(similarities, workspace);
  }

  /// The same with what an earlier call has left in `workspace`.
  template <class Scalar>
  [[nodiscard]] std::vector<SweepPoint> operator()(const Similarities<Scalar>& similarities,
                                                   Workspace& workspace) const;

  /// Merge as this stage calls it.
  [[nodiscard]] Merge merge(double threshold) const {
    return {.thresholds = std::vector<double>(static_cast<std::size_t>(iterations), threshold)};
  }

  /// Throws what operator() would throw for these options alone.
  void check() const {
    detail::require(!thresholds.empty(), "Sweep: thresholds must not be empty");
    detail::require(iterations >= 1, "Sweep: iterations must be >= 1, got ", iterations);
    detail::require(lambda >= 0 && detail::is_finite(lambda),
                    "Sweep: lambda must be >= 0 and finite, got ", lambda);
    for (const double threshold : thresholds) {
      detail::require(threshold > 0 && detail::is_finite(threshold),
                      "Sweep: thresholds must be > 0 and finite, got ", threshold);
    }
  }
};

template <class Scalar>
std::vector<SweepPoint> Sweep::operator()(const Similarities<Scalar>& similarities,
                                          Workspace& workspace) const {
  check();
  similarities.check("Sweep");
  const double largest = *std::max_element(thresholds.begin(), thresholds.end());
  detail::require(largest <= similarities.ceiling, "Sweep: thresholds must be at most the ceiling ",
                  similarities.ceiling, " that Compare kept, got ", largest,
                  "; raise Compare::ceiling");
  const detail::ProfileScope scope("Sweep");
  std::vector<detail::Partition> partitions;
  Proposals<Scalar> proposals;
  for (const double threshold : thresholds) {
    merge(threshold)(similarities, proposals, workspace);
    partitions.push_back(detail::partition_cells(proposals.rows));
  }
  const detail::Information information =
      detail::InformationSums<Scalar>(similarities.maps.rows(), partitions).run();
  std::vector<SweepPoint> points;
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    const double entropy = detail::entropy_of(partitions[i]);
    // Maps that are all alike tell nothing: there is nothing to lose.
    const double share = information.cells > 0
                             ? std::clamp(information.segments[i] / information.cells, 0.0, 1.0)
                             : 0.0;
    points.push_back({thresholds[i], static_cast<Index>(partitions[i].sizes.size()), share, entropy,
                      share - lambda * entropy});
  }
  return points;
}

}  // namespace diffseg
