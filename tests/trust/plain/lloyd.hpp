// SPDX-License-Identifier: MIT
// Lloyd's KMeans in plain loops.
#pragma once

#include <cmath>
#include <vector>

#include "trust/plain/merge.hpp"

namespace plain {

/// What it comes to.
struct Clusters {
  Rows centres;
  std::vector<Index> labels, reseeded;
  Index iterations = 0;
  double inertia = 0;
  bool undecided = false;  // a choice within rounding
};

/// KMeans over rows from given centres; `epsilon` is that of the scalar that is compared with.
class Lloyd {
 public:
  Lloyd(const Rows& rows, double tolerance, Index most, double epsilon)
      : rows_(rows), most_(most), epsilon_(epsilon), mean_(rows.colwise().mean()) {
    const Rows centred = rows_.rowwise() - mean_.row(0);
    const double variance = centred.squaredNorm() / static_cast<double>(rows_.size());
    least_ = tolerance * variance;
  }

  Clusters run(const Rows& centres) {
    found_ = {};
    found_.centres = centres;
    found_.labels.assign(static_cast<std::size_t>(rows_.rows()), -1);
    bool settled = false;
    while (!settled && found_.iterations < most_) {
      ++found_.iterations;
      if (!assign()) break;
      settled = update();
      if (settled || found_.iterations == most_) assign();
    }
    for (Index i = 0; i < rows_.rows(); ++i) found_.inertia += distance(i, label(i));
    return found_;
  }

 private:
  Index& label(Index row) { return found_.labels[static_cast<std::size_t>(row)]; }
  [[nodiscard]] double distance(Index row, Index k) const {
    return (rows_.row(row) - found_.centres.row(k)).squaredNorm();
  }
  /// What rounding may do to a squared distance, as products around the mean of all rows.
  [[nodiscard]] double rounding(Index row, Index k) const {
    const double sizes = (rows_.row(row) - mean_.row(0)).squaredNorm() +
                         (found_.centres.row(k) - mean_.row(0)).squaredNorm();
    // The centres too were rounded, in every pass.
    const double old = rows_.row(row).norm() + found_.centres.row(k).norm();
    return epsilon_ * (2 * static_cast<double>(rows_.cols() + 40) * sizes +
                       8 * old * std::sqrt(distance(row, k) + sizes));
  }

  /// Every row to its nearest centre, the first of equals; whether any changes.
  bool assign() {
    bool changed = false;
    for (Index row = 0; row < rows_.rows(); ++row) {
      Index best = 0;
      for (Index k = 1; k < found_.centres.rows(); ++k) {
        if (distance(row, k) < distance(row, best)) best = k;
      }
      for (Index k = 0; k < found_.centres.rows(); ++k) {
        const double gap = distance(row, k) - distance(row, best);
        found_.undecided |= k != best && gap <= rounding(row, k) + rounding(row, best);
      }
      changed |= label(row) != best;
      label(row) = best;
    }
    return changed;
  }

  /// Centres become means; a cluster that ran empty gets the row farthest from its centre. Whether
  /// they moved too little to go on.
  bool update() {
    std::vector<Index> counts(static_cast<std::size_t>(found_.centres.rows()), 0);
    for (const Index one : found_.labels) ++counts[static_cast<std::size_t>(one)];
    std::vector<double> far;
    for (Index row = 0; row < rows_.rows(); ++row) far.push_back(distance(row, label(row)));
    for (std::size_t k = 0; k < counts.size(); ++k) {
      if (counts[k] == 0) reseed(static_cast<Index>(k), counts, far);
    }
    const Rows old = found_.centres;
    for (Index k = 0; k < old.rows(); ++k) {
      if (counts[static_cast<std::size_t>(k)] == 0) continue;
      found_.centres.row(k).setZero();
      for (Index row = 0; row < rows_.rows(); ++row) {
        if (label(row) == k) found_.centres.row(k) += rows_.row(row);
      }
      found_.centres.row(k) /= static_cast<double>(counts[static_cast<std::size_t>(k)]);
    }
    const double moved = (found_.centres - old).squaredNorm();
    const double slack = 1e-3 * least_ + 100 * epsilon_ * epsilon_ * old.squaredNorm();
    found_.undecided |= std::abs(moved - least_) <= slack;
    return moved <= least_;
  }

  void reseed(Index k, std::vector<Index>& counts, std::vector<double>& far) {
    Index best = -1;
    for (Index row = 0; row < rows_.rows(); ++row) {
      if (counts[static_cast<std::size_t>(label(row))] < 2) continue;
      const double own = far[static_cast<std::size_t>(row)];
      if (own <= 0) continue;
      if (best >= 0) {
        const double gap = std::abs(own - far[static_cast<std::size_t>(best)]);
        found_.undecided |= gap <= 1e3 * epsilon_ * own;
      }
      if (best < 0 || own > far[static_cast<std::size_t>(best)]) best = row;
    }
    if (best < 0) return;
    --counts[static_cast<std::size_t>(label(best))];
    ++counts[static_cast<std::size_t>(k)];
    label(best) = k;
    far[static_cast<std::size_t>(best)] = 0;
    found_.reseeded.push_back(k);
  }

  const Rows& rows_;
  Index most_;
  double epsilon_;
  Rows mean_;
  double least_;
  Clusters found_;
};

}  // namespace plain
