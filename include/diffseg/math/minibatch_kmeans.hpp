// SPDX-License-Identifier: MIT
// KMeans by mini-batches: for rows so many that passes over all of them cost too much.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "diffseg/core/random.hpp"
#include "diffseg/math/detail/centre_distances.hpp"
#include "diffseg/math/detail/cluster_sums.hpp"
#include "diffseg/math/detail/column_means.hpp"
#include "diffseg/math/kmeans_result.hpp"

namespace diffseg::detail {

/// Of minibatch_kmeans.
struct MiniBatchOptions {
  Index batch = 1024;                ///< rows drawn at once, >= 1
  Index max_passes = 100;            ///< >= 1; batches: at most this times the rows over `batch`
  Index patience = 10;               ///< >= 1; batches without a better smoothed inertia
  double reassignment_ratio = 0.01;  ///< 0 .. 1; starved: fewer draws than this of the largest
  std::uint64_t seed = 0;            ///< of the draws
};

template <class Scalar>
class MiniBatch {
 public:
  MiniBatch(const Matrix<Scalar>& rows, const MiniBatchOptions& options)
      : rows_(rows),
        options_(options),
        batch_(std::min(options.batch, rows.rows())),
        random_(options.seed),
        distances_(column_means(rows, "KMeans")) {}

  KMeansResult<Scalar> run(const Matrix<Scalar>& centres) {
    result_.centres = centres;
    draws_.assign(static_cast<std::size_t>(centres.rows()), 0);
    ClusterSums sums(centres.rows(), rows_.cols());
    const double most = std::ceil(static_cast<double>(options_.max_passes) *
                                  static_cast<double>(rows_.rows()) / static_cast<double>(batch_));
    while (static_cast<double>(result_.iterations) < most && !result_.converged) {
      ++result_.iterations;
      draw();
      const double inertia = nearest(batch_rows_, batch_labels_) / static_cast<double>(batch_);
      learn(sums);
      reassign();
      result_.converged = is_settled(inertia);
    }
    std::vector<Index> all(static_cast<std::size_t>(rows_.rows()));
    std::iota(all.begin(), all.end(), Index{0});
    nearest(all, result_.labels);
    std::vector<double> unused;
    result_.inertia = inertia(rows_, result_.centres, result_.labels, unused);
    return std::move(result_);
  }

 private:
  using Scratch = typename CentreDistances<Scalar>::Scratch;

  void draw() {
    batch_rows_.resize(static_cast<std::size_t>(batch_));
    for (Index& row : batch_rows_) row = random_.below(rows_.rows());
  }

  /// Labels of the rows `ids` for the present centres; returns the sum of squared distances.
  double nearest(const std::vector<Index>& ids, std::vector<std::int32_t>& labels) {
    distances_.set(result_.centres);
    labels.resize(ids.size());
    const Index block = distances_.rows_per_task();
    const Index blocks = (static_cast<Index>(ids.size()) + block - 1) / block;
    std::vector<double> squares(static_cast<std::size_t>(blocks), 0.0);
    parallel_for(
        blocks, [&] { return distances_.make_scratch(); },
        [&](Index index, Scratch& scratch) {
          auto place = static_cast<std::size_t>(index * block);
          distances_.for_each(rows_, part(ids, index, block), scratch, [&](Index, Index slot) {
            Index best = 0;
            const Scalar least = scratch.distances.row(slot).minCoeff(&best);
            labels[place++] = static_cast<std::int32_t>(best);
            squares[static_cast<std::size_t>(index)] +=
                std::max(0.0, static_cast<double>(least + scratch.norms[slot]));
          });
        });
    return std::accumulate(squares.begin(), squares.end(), 0.0);
  }

  /// Every centre becomes the mean of all rows that were ever drawn for it.
  void learn(ClusterSums& sums) {
    std::vector<ClusterMove> moves(batch_rows_.size());
    for (std::size_t i = 0; i < moves.size(); ++i) {
      moves[i] = {batch_rows_[i], -1, batch_labels_[i]};
    }
    sums.set_zero();
    sums.apply(rows_, moves);
    for (std::size_t k = 0; k < draws_.size(); ++k) {
      if (sums.counts()[k] == 0) continue;
      const double before = static_cast<double>(draws_[k]);
      draws_[k] += sums.counts()[k];
      const auto row = static_cast<Index>(k);
      result_.centres.row(row) =
          ((result_.centres.row(row).template cast<double>() * before + sums.sum(row)) /
           static_cast<double>(draws_[k]))
              .template cast<Scalar>();
    }
  }

  /// Now and then, starved centres move to random rows of the batch.
  void reassign() {
    since_reassignment_ += batch_;
    const auto clusters = static_cast<Index>(draws_.size());
    const bool unused = std::find(draws_.begin(), draws_.end(), 0) != draws_.end();
    if (!unused && since_reassignment_ < 10 * clusters) return;
    since_reassignment_ = 0;
    const auto largest = static_cast<double>(*std::max_element(draws_.begin(), draws_.end()));
    std::vector<std::size_t> starved;
    Index fewest = std::numeric_limits<Index>::max();
    for (std::size_t k = 0; k < draws_.size(); ++k) {
      if (static_cast<double>(draws_[k]) < options_.reassignment_ratio * largest) {
        starved.push_back(k);
      } else {
        fewest = std::min(fewest, draws_[k]);
      }
    }
    std::stable_sort(starved.begin(), starved.end(),
                     [&](std::size_t a, std::size_t b) { return draws_[a] < draws_[b]; });
    starved.resize(std::min(starved.size(), static_cast<std::size_t>(batch_ / 2)));
    for (std::size_t i = 0; i < starved.size(); ++i) {
      // Without replacement: the i-th draw comes from what the others have left.
      const auto pick = i + static_cast<std::size_t>(random_.below(batch_ - static_cast<Index>(i)));
      std::swap(batch_rows_[i], batch_rows_[pick]);
      result_.centres.row(static_cast<Index>(starved[i])) = rows_.row(batch_rows_[i]);
      draws_[starved[i]] = fewest;
      result_.reseeded.push_back(static_cast<Index>(starved[i]));
    }
  }

  /// True when the smoothed inertia of the batches has not become better for `patience` of them.
  bool is_settled(double inertia) {
    if (result_.iterations == 1) return false;  // that of the start says nothing
    const double weight =
        std::min(1.0, 2.0 * static_cast<double>(batch_) / (static_cast<double>(rows_.rows()) + 1));
    smoothed_ = result_.iterations == 2 ? inertia : smoothed_ * (1 - weight) + inertia * weight;
    if (result_.iterations == 2 || smoothed_ < best_) {
      best_ = smoothed_;
      without_gain_ = 0;
      return false;
    }
    return ++without_gain_ >= options_.patience;
  }

  const Matrix<Scalar>& rows_;
  MiniBatchOptions options_;
  Index batch_;
  RandomNumbers random_;
  CentreDistances<Scalar> distances_;
  KMeansResult<Scalar> result_;
  std::vector<Index> draws_;  // [K] rows that ever went to each centre
  std::vector<Index> batch_rows_;
  std::vector<std::int32_t> batch_labels_;
  Index since_reassignment_ = 0;
  Index without_gain_ = 0;
  double smoothed_ = 0;
  double best_ = 0;
};

/// KMeans over rows [R x n] from the given centres [K x n], 1 <= K <= R, by random batches
/// (Sculley, WWW 2010): every centre learns at the rate of one over its draws; centres that starve
/// move to random rows; it ends when the smoothed inertia of the batches no longer improves.
/// Errors: std::invalid_argument for K, widths or options out of range, numbers that are not
/// finite.
template <class Scalar>
[[nodiscard]] KMeansResult<Scalar> minibatch_kmeans(const Matrix<Scalar>& rows,
                                                    const Matrix<Scalar>& centres,
                                                    const MiniBatchOptions& options = {}) {
  check_centres(rows, centres);
  require(options.batch >= 1, "KMeans: batch must be >= 1, got ", options.batch);
  require(options.max_passes >= 1, "KMeans: max_passes must be >= 1, got ", options.max_passes);
  require(options.patience >= 1, "KMeans: patience must be >= 1, got ", options.patience);
  require(options.reassignment_ratio >= 0 && options.reassignment_ratio <= 1,
          "KMeans: reassignment_ratio must be 0 .. 1, got ", options.reassignment_ratio);
  return MiniBatch<Scalar>(rows, options).run(centres);
}

}  // namespace diffseg::detail
