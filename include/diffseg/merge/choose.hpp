// SPDX-License-Identifier: MIT
// Choose: Similarities -> a threshold for Merge.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

#include "diffseg/merge/sweep.hpp"

namespace diffseg {

/// Similarities -> the threshold that suits them, with its figures: the best score of a Sweep, or
/// so many segments, by bisection between thresholds that give more and fewer. The number of
/// segments does not always fall with the threshold: of those tried the nearest is taken, the
/// lowest of equals. Errors: std::invalid_argument for what Sweep refuses, segments or steps below
/// 0.
struct Choose {
  using Stage = void;  ///< it may begin or follow a chain

  /// Candidates of the best score, nats; {}: 17, each 1.19 times the one before, up to the ceiling.
  std::vector<double> thresholds = {};
  Index segments = 0;    ///< >= 1: that number is wanted; 0: the best score is
  Index iterations = 3;  ///< of Merge, >= 1
  double lambda = 0.22;  ///< of Sweep, >= 0: more means fewer segments
  Index steps = 24;      ///< most thresholds that are tried for a number of segments, >= 2

  /// The threshold chosen, and what Sweep says of it.
  template <class Scalar>
  [[nodiscard]] SweepPoint operator()(const Similarities<Scalar>& similarities) const {
    return (*this)(similarities, [](const Proposals<Scalar>& proposals) {
      return static_cast<Index>(detail::partition_cells(proposals.rows).sizes.size());
    });
  }

  /// The same, where a number of segments is wanted, with count(proposals) -> Index to count them:
  /// what later stages make of the proposals, say.
  template <class Scalar, class Count>
  [[nodiscard]] SweepPoint operator()(const Similarities<Scalar>& similarities,
                                      const Count& count) const {
    check();
    if (segments > 0) return bisect(similarities, count);
    similarities.check("Choose");
    const std::vector<SweepPoint> points = sweep(similarities.ceiling)(similarities);
    return *std::max_element(points.begin(), points.end(),
                             [](const auto& a, const auto& b) { return a.score < b.score; });
  }

  /// The sweep that the best score is taken from.
  [[nodiscard]] Sweep sweep(double ceiling) const {
    Sweep result{thresholds, iterations, lambda};
    for (int step = 16; step >= 0 && thresholds.empty(); --step) {
      result.thresholds.push_back(ceiling * std::pow(0.84, step));
    }
    return result;
  }

  /// Throws what operator() would throw for these options alone.
  void check() const {
    detail::require(segments >= 0, "Choose: segments must be >= 0, got ", segments);
    detail::require(steps >= 2, "Choose: steps must be >= 2, got ", steps);
  }

 private:
  using Tried = std::pair<double, Index>;  // a threshold, the segments it gives

  /// Between which of the thresholds tried the next one should lie: where they give more and fewer
  /// than wanted, the widest; the number tried where there is no such place.
  [[nodiscard]] std::size_t widest_gap(const std::vector<Tried>& tried) const {
    std::size_t best = tried.size();
    double width = 1.01;  // closer than that is not worth a try
    for (std::size_t i = 0; i + 1 < tried.size(); ++i) {
      const bool between = (tried[i].second > segments) != (tried[i + 1].second > segments);
      const double ratio = tried[i + 1].first / tried[i].first;
      if (!between || ratio <= width) continue;
      width = ratio;
      best = i;
    }
    return best;
  }

  template <class Scalar, class Count>
  SweepPoint bisect(const Similarities<Scalar>& similarities, const Count& count) const {
    Workspace workspace;
    Proposals<Scalar> proposals;
    const Sweep single = sweep(similarities.ceiling);
    single.check();
    similarities.check("Choose");
    std::vector<Tried> tried;  // ascending
    const auto attempt = [&](double threshold) {
      single.merge(threshold)(similarities, proposals, workspace);
      const Tried point{threshold, count(std::as_const(proposals))};
      tried.insert(std::upper_bound(tried.begin(), tried.end(), point), point);
      return point.second;
    };
    Index found = attempt(similarities.ceiling);
    // Downwards until there are enough, then between.
    for (Index step = 1; step < steps && found < segments; ++step) {
      found = attempt(tried.front().first / 2);
    }
    while (static_cast<Index>(tried.size()) < steps && found != segments) {
      const std::size_t gap = widest_gap(tried);
      if (gap == tried.size()) break;
      found = attempt(std::sqrt(tried[gap].first * tried[gap + 1].first));
    }
    const Tried chosen =
        *std::min_element(tried.begin(), tried.end(), [&](const Tried& a, const Tried& b) {
          return std::abs(a.second - segments) < std::abs(b.second - segments);
        });
    SweepPoint point = Sweep{{chosen.first}, iterations, lambda}(similarities, workspace).front();
    point.segments = chosen.second;
    return point;
  }
};

}  // namespace diffseg
