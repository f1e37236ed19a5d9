// SPDX-License-Identifier: MIT
// KMeans over the rows of a matrix: Lloyd's, and first centres for it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "diffseg/core/random.hpp"
#include "diffseg/math/detail/centre_distances.hpp"
#include "diffseg/math/detail/cluster_sums.hpp"
#include "diffseg/math/detail/column_means.hpp"
#include "diffseg/math/kmeans_result.hpp"

namespace diffseg::detail {

/// Of lloyd_kmeans.
struct KMeansOptions {
  Index max_iterations = 300;  ///< >= 1
  double tolerance = 1e-4;  ///< >= 0; stops when the centres' squared moves sum up to at most this
                            ///< times the mean variance of the columns
};

/// Lloyd's KMeans. Bounds on the distances to all centres (Elkan, ICML 2003) leave out rows whose
/// label cannot change; what is computed has the same bits as without them.
template <class Scalar>
class Lloyd {
 public:
  Lloyd(const Matrix<Scalar>& rows, const KMeansOptions& options)
      : rows_(rows), options_(options), distances_(column_means(rows, "KMeans")) {}

  KMeansResult<Scalar> run(const Matrix<Scalar>& centres) {
    result_.centres = centres;
    result_.labels.assign(static_cast<std::size_t>(rows_.rows()), -1);
    // With few columns the bounds cost as much as what they save.
    bounded_ = rows_.cols() >= 32;
    upper_.setConstant(rows_.rows(), infinite);
    if (bounded_) lower_.setZero(rows_.rows(), centres.rows());
    ClusterSums sums(centres.rows(), rows_.cols());
    moved_ = distances_.set(centres);
    moved_.setZero();
    std::vector<ClusterMove> moves;
    while (result_.iterations < options_.max_iterations) {
      ++result_.iterations;
      assign(moves);
      if (moves.empty()) break;
      sums.apply(rows_, moves);
      reseed(sums);
      update(sums);
      if (moved_.squaredNorm() <= options_.tolerance * variance_) break;
    }
    result_.converged = moves.empty() || moved_.squaredNorm() <= options_.tolerance * variance_;
    if (!moves.empty()) assign(moves);  // labels that belong to the last centres
    std::vector<double> unused;
    result_.inertia = inertia(rows_, result_.centres, result_.labels, unused);
    return std::move(result_);
  }

 private:
  static constexpr Scalar infinite = std::numeric_limits<Scalar>::max();
  using Scratch = typename CentreDistances<Scalar>::Scratch;

  /// Labels of all rows for the present centres; `moves` become the changes, rows ascending.
  void assign(std::vector<ClusterMove>& moves) {
    const std::vector<Index> open = unsettled();
    const Index block = distances_.rows_per_task();
    const Index blocks = (static_cast<Index>(open.size()) + block - 1) / block;
    std::vector<std::vector<ClusterMove>> found(static_cast<std::size_t>(blocks));
    std::vector<double> norms(static_cast<std::size_t>(blocks), 0.0);
    parallel_for(
        blocks, [&] { return distances_.make_scratch(); },
        [&](Index index, Scratch& scratch) {
          const auto place = static_cast<std::size_t>(index);
          distances_.for_each(rows_, part(open, index, block), scratch, [&](Index row, Index slot) {
            norms[place] += static_cast<double>(scratch.norms[slot]);
            take(row, slot, scratch, found[place]);
          });
        });
    moves.clear();
    for (const auto& some : found) moves.insert(moves.end(), some.begin(), some.end());
    if (variance_ >= 0) return;
    variance_ = std::accumulate(norms.begin(), norms.end(), 0.0) /
                static_cast<double>(std::max<Index>(1, rows_.size()));
  }

  /// The rows whose label may change, ascending.
  std::vector<Index> unsettled() {
    constexpr Index block = 4096;
    const Index blocks = (rows_.rows() + block - 1) / block;
    std::vector<std::vector<Index>> found(static_cast<std::size_t>(blocks));
    parallel_for(blocks, [&](Index index) {
      const Index end = std::min((index + 1) * block, rows_.rows());
      for (Index row = index * block; row < end; ++row) {
        if (!is_settled(row)) found[static_cast<std::size_t>(index)].push_back(row);
      }
    });
    for (std::size_t i = 1; i < found.size(); ++i) {
      found[0].insert(found[0].end(), found[i].begin(), found[i].end());
    }
    return std::move(found[0]);
  }

  /// Moves the bounds of a row on; true when they show that no other centre can be nearer.
  bool is_settled(Index row) {
    if (!bounded_ || upper_[row] == infinite) return false;
    constexpr Scalar wider = 1 + 4 * std::numeric_limits<Scalar>::epsilon();
    const auto label = result_.labels[static_cast<std::size_t>(row)];
    upper_[row] = (upper_[row] + static_cast<Scalar>(moved_[label]) * wider) * wider;
    Scalar* lower = lower_.row(row).data();
    Scalar least = infinite;
    for (Index k = 0; k < lower_.cols(); ++k) {
      lower[k] = lower[k] / wider - static_cast<Scalar>(moved_[k]) * wider;
      least = std::min(least, k == label ? infinite : lower[k]);
    }
    return upper_[row] < least;
  }

  /// The nearest centre of a row, the first of equals, and fresh bounds.
  void take(Index row, Index slot, const Scratch& scratch, std::vector<ClusterMove>& moves) {
    Index best = 0;
    scratch.distances.row(slot).minCoeff(&best);
    auto& label = result_.labels[static_cast<std::size_t>(row)];
    if (label != best) moves.push_back({row, label, static_cast<std::int32_t>(best)});
    label = static_cast<std::int32_t>(best);
    if (!bounded_) return;
    const Scalar norm = scratch.norms[slot];
    const Scalar margin = distances_.rounding(norm);
    const auto squared = (scratch.distances.row(slot).array() + norm).eval();
    lower_.row(row) = (squared - margin).max(Scalar(0)).sqrt().matrix();
    upper_[row] = std::sqrt(std::max(Scalar(0), squared[best]) + margin);
  }

  /// Gives every empty cluster the row that is farthest from its centre and not alone there. Where
  /// all rows sit on their centres, the cluster stays empty and its centre where it was.
  void reseed(ClusterSums& sums) {
    const auto& counts = sums.counts();
    if (std::find(counts.begin(), counts.end(), 0) == counts.end()) return;
    std::vector<double> distances;
    inertia(rows_, result_.centres, result_.labels, distances);
    std::vector<Index> order(distances.size());
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
      return distances[static_cast<std::size_t>(a)] > distances[static_cast<std::size_t>(b)];
    });
    auto next = order.begin();
    for (std::size_t k = 0; k < counts.size(); ++k) {
      if (counts[k] > 0) continue;
      const auto label = [&](Index row) -> auto& {
        return result_.labels[static_cast<std::size_t>(row)];
      };
      while (next != order.end() && counts[static_cast<std::size_t>(label(*next))] < 2) ++next;
      if (next == order.end() || distances[static_cast<std::size_t>(*next)] <= 0) return;
      const ClusterMove move{*next, label(*next), static_cast<std::int32_t>(k)};
      sums.apply(rows_, {&move, 1});
      label(*next) = move.to;
      upper_[*next++] = infinite;  // its bounds are of another centre
      result_.reseeded.push_back(static_cast<Index>(k));
    }
  }

  /// Centres become the means of their rows.
  void update(const ClusterSums& sums) {
    for (Index k = 0; k < result_.centres.rows(); ++k) {
      if (sums.counts()[static_cast<std::size_t>(k)] == 0) continue;
      result_.centres.row(k) = sums.mean(k).template cast<Scalar>();
    }
    moved_ = distances_.set(result_.centres);
  }

  const Matrix<Scalar>& rows_;
  KMeansOptions options_;
  CentreDistances<Scalar> distances_;
  KMeansResult<Scalar> result_;
  bool bounded_ = false;
  double variance_ = -1;   // mean over the columns; < 0: not known yet
  Eigen::VectorXd moved_;  // [K] of the last update
  Buffer<Scalar> upper_;   // [R] of the distance to the own centre
  Matrix<Scalar> lower_;   // [R x K] of the distances to all
};

/// Draws rows as centres.
template <class Scalar>
class PlusPlus {
 public:
  PlusPlus(const Matrix<Scalar>& rows, std::uint64_t seed) : rows_(rows), random_(seed) {}

  Matrix<Scalar> choose(Index clusters) {
    const int trials = 2 + static_cast<int>(std::log(static_cast<double>(clusters)));
    Matrix<Scalar> centres(clusters, rows_.cols());
    nearest_.assign(static_cast<std::size_t>(rows_.rows()), std::numeric_limits<double>::max());
    centres.row(0) = rows_.row(random_.below(rows_.rows()));
    double total = closer_with(centres.row(0));
    nearest_.swap(tried_);
    for (Index k = 1; k < clusters; ++k) {
      double least = std::numeric_limits<double>::max();
      std::vector<double> best;
      for (int trial = 0; trial < trials; ++trial) {
        const Index row = draw(total);
        const double sum = closer_with(rows_.row(row));
        if (sum >= least) continue;
        least = sum;
        best.swap(tried_);
        centres.row(k) = rows_.row(row);
      }
      nearest_.swap(best);
      total = least;
    }
    return centres;
  }

 private:
  /// Squared distances to the nearest centre if `centre` were one, into tried_; returns their sum.
  template <class Row>
  double closer_with(const Row& centre) {
    constexpr Index block = 64;
    tried_.resize(nearest_.size());
    parallel_for((rows_.rows() + block - 1) / block, [&](Index index) {
      const Index end = std::min((index + 1) * block, rows_.rows());
      for (Index row = index * block; row < end; ++row) {
        const auto place = static_cast<std::size_t>(row);
        const double distance = (rows_.row(row) - centre).template cast<double>().squaredNorm();
        tried_[place] = std::min(nearest_[place], distance);
      }
    });
    return std::accumulate(tried_.begin(), tried_.end(), 0.0);
  }

  /// A row by squared distance; any when all sit on centres.
  Index draw(double total) {
    if (total <= 0) return random_.below(rows_.rows());
    double left = random_.uniform() * total;
    for (std::size_t row = 0; row < nearest_.size(); ++row) {
      left -= nearest_[row];
      if (left < 0) return static_cast<Index>(row);
    }
    return rows_.rows() - 1;
  }

  const Matrix<Scalar>& rows_;
  RandomNumbers random_;
  std::vector<double> nearest_;  // [R] squared distances to the nearest centre
  std::vector<double> tried_;    // the same with one more
};

/// Lloyd's KMeans over rows [R x n] from the given centres [K x n], 1 <= K <= R. Errors:
/// std::invalid_argument for K or widths out of range, numbers that are not finite.
template <class Scalar>
[[nodiscard]] KMeansResult<Scalar> lloyd_kmeans(const Matrix<Scalar>& rows,
                                                const Matrix<Scalar>& centres,
                                                const KMeansOptions& options = {}) {
  check_centres(rows, centres);
  require(options.max_iterations >= 1, "KMeans: max_iterations must be >= 1, got ",
          options.max_iterations);
  require(options.tolerance >= 0 && is_finite(options.tolerance),
          "KMeans: tolerance must be >= 0 and finite, got ", options.tolerance);
  return Lloyd<Scalar>(rows, options).run(centres);
}

/// `clusters` of the rows [R x n] as first centres [K x n]: k-means++ (Arthur and Vassilvitskii,
/// SODA 2007), each the best of a few draws by squared distance to those before. The draws are the
/// same on every platform; rounding decides only where one falls between two rows. Errors:
/// std::invalid_argument for clusters outside 1 .. R, rows that are not finite.
template <class Scalar>
[[nodiscard]] Matrix<Scalar> kmeans_plus_plus(const Matrix<Scalar>& rows, Index clusters,
                                              std::uint64_t seed = 0) {
  require(clusters >= 1 && clusters <= rows.rows(),
          "KMeans: clusters must be 1 .. the number of rows ", rows.rows(), ", got ", clusters);
  static_cast<void>(column_means(rows, "KMeans"));
  return PlusPlus<Scalar>(rows, seed).choose(clusters);
}

}  // namespace diffseg::detail
