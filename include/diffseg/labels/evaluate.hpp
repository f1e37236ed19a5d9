// SPDX-License-Identifier: MIT
// How good are labels? Against classes after a matching, against partitions as they are, and by
// their borders.
// In truths a negative label means "not annotated": that pixel counts nowhere.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "diffseg/data/labels.hpp"
#include "diffseg/labels/detail/border_cells.hpp"
#include "diffseg/math/matching.hpp"

namespace diffseg {

/// Pixels of each pair of labels, [truth x predicted].
using Counts = Matrix<std::int64_t>;

namespace detail {

inline void check_sizes(const Labels& predicted, const Labels& truth) {
  require(predicted.size == truth.size, "evaluate: prediction and truth must have one size, got ",
          predicted.size.height, " x ", predicted.size.width, " and ", truth.size.height, " x ",
          truth.size.width);
  predicted.check_size("evaluate");
  truth.check_size("evaluate");
}

/// Largest label + 1.
inline Index label_limit(const Labels& labels) {
  const auto largest = std::max_element(labels.values.begin(), labels.values.end());
  return largest == labels.values.end() ? 0 : std::max<Index>(Index{*largest} + 1, 0);
}

inline Counts without_empty(const Counts& counts) {
  std::vector<Index> rows;
  std::vector<Index> columns;
  for (Index i = 0; i < counts.rows(); ++i) {
    if (counts.row(i).any()) rows.push_back(i);
  }
  for (Index j = 0; j < counts.cols(); ++j) {
    if (counts.col(j).any()) columns.push_back(j);
  }
  return counts(rows, columns);
}

}  // namespace detail

/// The confusion matrix [truths x predictions] of one photo. Errors: std::invalid_argument for
/// labels outside it (but negative truths) and sizes that differ.
[[nodiscard]] inline Counts confusion(const Labels& predicted, const Labels& truth, Index truths,
                                      Index predictions) {
  detail::check_sizes(predicted, truth);
  detail::require(truths >= 0 && predictions >= 0 &&
                      detail::checked_product(truths, predictions, "confusion") <= Index{1} << 28,
                  "confusion: the matrix must have 0 to 2^28 entries, got ", truths, " x ",
                  predictions);
  Counts counts = Counts::Zero(truths, predictions);
  for (std::size_t i = 0; i < truth.values.size(); ++i) {
    const Index row = truth.values[i];
    const Index column = predicted.values[i];
    if (row < 0) continue;
    detail::require(row < truths, "confusion: true labels must be below ", truths, ", got ", row);
    detail::require(column >= 0 && column < predictions,
                    "confusion: predicted labels must be in 0..", predictions - 1, ", got ",
                    column);
    ++counts(row, column);
  }
  return counts;
}

/// The confusion matrix of the labels that occur, [true regions x predicted regions].
[[nodiscard]] inline Counts contingency(const Labels& predicted, const Labels& truth) {
  return detail::without_empty(
      confusion(predicted, truth, detail::label_limit(truth), detail::label_limit(predicted)));
}

// ---- Classes ------------------------------------------------------------------------------------

/// What becomes of predictions that the matching leaves over.
enum class Unmatched {
  ignored,         ///< false positives of no class (their pixels are false negatives all the same)
  false_positives  ///< of the class that each covers most; its pixels there stay false negatives
};

/// Pixels of each class after the matching.
struct ClassCounts {
  std::vector<std::int64_t> true_positives;   ///< [classes] pixels
  std::vector<std::int64_t> false_positives;  ///< [classes] pixels
  std::vector<std::int64_t> false_negatives;  ///< [classes] pixels
  std::int64_t pixels = 0;                    ///< that were annotated

  /// Share of the annotated pixels in the right class, 0..1; 0 without pixels.
  [[nodiscard]] double pixel_accuracy() const {
    double right = 0;
    for (const std::int64_t count : true_positives) right += static_cast<double>(count);
    return pixels == 0 ? 0 : right / static_cast<double>(pixels);
  }
  /// [classes] intersection over union, nothing for a class that nobody has.
  [[nodiscard]] std::vector<std::optional<double>> ious() const {
    std::vector<std::optional<double>> result(true_positives.size());
    for (std::size_t c = 0; c < result.size(); ++c) {
      const std::int64_t all = true_positives[c] + false_positives[c] + false_negatives[c];
      if (all > 0) result[c] = static_cast<double>(true_positives[c]) / static_cast<double>(all);
    }
    return result;
  }
  /// Mean of ious() over the classes that have one; 0 without any.
  [[nodiscard]] double mean_iou() const {
    double sum = 0;
    double count = 0;
    for (const auto& iou : ious()) {
      sum += iou.value_or(0);
      count += iou.has_value() ? 1 : 0;
    }
    return count == 0 ? 0 : sum / count;
  }
};

/// Matches predictions with classes one to one for the most pixels. All classes take part, also
/// those without pixels: with no more predictions than classes every prediction gets one.
[[nodiscard]] inline ClassCounts match_classes(const Counts& counts, Unmatched unmatched) {
  const Index classes = counts.rows();
  Counts padded = Counts::Zero(classes, std::max(classes, counts.cols()));
  padded.leftCols(counts.cols()) = counts;
  const detail::Matching matching = detail::match_rows(padded);
  const auto size = static_cast<std::size_t>(classes);
  ClassCounts result{std::vector<std::int64_t>(size), std::vector<std::int64_t>(size),
                     std::vector<std::int64_t>(size), counts.sum()};
  std::vector<bool> matched(static_cast<std::size_t>(padded.cols()), false);
  for (std::size_t c = 0; c < size; ++c) {
    const Index column = matching.columns[c];
    const auto row = static_cast<Index>(c);
    matched[static_cast<std::size_t>(column)] = true;
    result.true_positives[c] = padded(row, column);
    result.false_positives[c] = padded.col(column).sum() - padded(row, column);
    result.false_negatives[c] = padded.row(row).sum() - padded(row, column);
  }
  if (unmatched == Unmatched::ignored || classes == 0) return result;
  for (Index column = 0; column < padded.cols(); ++column) {
    if (matched[static_cast<std::size_t>(column)]) continue;
    Index most = 0;
    const std::int64_t own = padded.col(column).maxCoeff(&most);
    result.false_positives[static_cast<std::size_t>(most)] += padded.col(column).sum() - own;
  }
  return result;
}

/// One matching per photo, classes added up over photos: the protocol of the published code, with
/// Unmatched::ignored. `photos` are confusion() matrices with equally many classes (rows).
[[nodiscard]] inline ClassCounts per_image(std::span<const Counts> photos, Unmatched unmatched) {
  ClassCounts total;
  for (const Counts& counts : photos) {
    const ClassCounts one = match_classes(counts, unmatched);
    if (total.true_positives.empty()) {
      total = one;
      continue;
    }
    detail::require(one.true_positives.size() == total.true_positives.size(),
                    "per_image: photos must have equally many classes, got ",
                    total.true_positives.size(), " and ", one.true_positives.size());
    for (std::size_t c = 0; c < one.true_positives.size(); ++c) {
      total.true_positives[c] += one.true_positives[c];
      total.false_positives[c] += one.false_positives[c];
      total.false_negatives[c] += one.false_negatives[c];
    }
    total.pixels += one.pixels;
  }
  return total;
}

/// One matching for all photos, where a predicted label means the same in each: the protocol of
/// PiCIE. `photos` are confusion() matrices of one shape.
[[nodiscard]] inline ClassCounts per_dataset(std::span<const Counts> photos, Unmatched unmatched) {
  if (photos.empty()) return {};
  Counts total = Counts::Zero(photos.front().rows(), photos.front().cols());
  for (const Counts& counts : photos) {
    detail::require(counts.rows() == total.rows() && counts.cols() == total.cols(),
                    "per_dataset: photos must have equally many classes and predictions, got ",
                    total.rows(), " x ", total.cols(), " and ", counts.rows(), " x ",
                    counts.cols());
    total += counts;
  }
  return match_classes(total, unmatched);
}

// ---- Partitions ---------------------------------------------------------------------------------

/// How well one partition of a photo explains another; all from their contingency table.
struct PartitionScores {
  double covering = 0;             ///< 0..1: of the true regions by predicted ones, see score()
  double rand_index = 0;           ///< 0..1: share of the pixel pairs on which both agree
  double adjusted_rand_index = 0;  ///< <= 1: the same, 0 for chance (Hubert and Arabie 1985)
  double variation_of_information = 0;  ///< >= 0, bits: H(T|P) + H(P|T) (Meila 2005)
};

/// Scores of a table [true regions x predicted regions] with at least one pixel. Covering is that
/// of Arbelaez et al. 2011: every true region R counts with its area and with the largest
/// intersection over union that a predicted region has with it, sum over R of |R| max IoU / pixels.
[[nodiscard]] inline PartitionScores score(const Counts& counts) {
  const Matrix<double> table = counts.cast<double>();
  const double pixels = table.sum();
  detail::require(pixels > 0, "score: at least one pixel must be annotated, got 0");
  const Eigen::VectorXd truths = table.rowwise().sum();
  const Eigen::VectorXd predictions = table.colwise().sum();
  PartitionScores scores;
  for (Index i = 0; i < table.rows(); ++i) {
    double best = 0;
    for (Index j = 0; j < table.cols(); ++j) {
      const double both = table(i, j);
      if (both == 0) continue;
      best = std::max(best, both / (truths[i] + predictions[j] - both));
      scores.variation_of_information -=
          both / pixels * (std::log2(both / truths[i]) + std::log2(both / predictions[j]));
    }
    scores.covering += truths[i] / pixels * best;
  }
  const auto pairs = [](const auto& n) { return (n.array() * (n.array() - 1) / 2).sum(); };
  const double all = pixels * (pixels - 1) / 2;
  const double together = pairs(table);
  const double in_truth = pairs(truths);
  const double in_prediction = pairs(predictions);
  scores.rand_index = all == 0 ? 1 : (all + 2 * together - in_truth - in_prediction) / all;
  const double chance = all == 0 ? 0 : in_truth * in_prediction / all;
  const double most = (in_truth + in_prediction) / 2;
  scores.adjusted_rand_index = most == chance ? 1 : (together - chance) / (most - chance);
  return scores;
}

/// A prediction against all annotators of its photo: the mean over the truths. Covering is then the
/// pooled one of the BSDS benchmark (areas and best overlaps of all annotators' regions, added up),
/// since every annotator labels the same pixels; rand_index is the probabilistic Rand index.
[[nodiscard]] inline PartitionScores score(const Labels& predicted,
                                           std::span<const Labels> truths) {
  detail::require(!truths.empty(), "score: there must be at least one truth, got 0");
  PartitionScores mean;
  const double share = 1.0 / static_cast<double>(truths.size());
  for (const Labels& truth : truths) {
    const PartitionScores one = score(contingency(predicted, truth));
    mean.covering += share * one.covering;
    mean.rand_index += share * one.rand_index;
    mean.adjusted_rand_index += share * one.adjusted_rand_index;
    mean.variation_of_information += share * one.variation_of_information;
  }
  return mean;
}

// ---- Borders ------------------------------------------------------------------------------------

/// How well the borders of two partitions lie on each other, 0..1.
struct BoundaryScores {
  double precision = 0;  ///< share of the predicted border pixels that are near a true one
  double recall = 0;     ///< share of the true border pixels that are near a predicted one
  double f_measure = 0;  ///< their harmonic mean
};

/// The border pixels (border_cells) of both within `radius` pixels of each other, Euclidean (Csurka
/// et al., "What is a good evaluation measure for semantic segmentation?", 2013). Two partitions
/// without borders agree, one without agrees with none that has some. Errors: std::invalid_argument
/// for sizes that differ, a negative radius.
[[nodiscard]] inline BoundaryScores score_boundaries(const Labels& predicted, const Labels& truth,
                                                     Index radius = 2) {
  detail::check_sizes(predicted, truth);
  const auto found = detail::border_cells(truth.size, predicted.values, truth.values);
  const auto expected = detail::border_cells(truth.size, truth.values, truth.values);
  BoundaryScores scores;
  scores.precision = detail::share_near(truth.size, found, expected, radius);
  scores.recall = detail::share_near(truth.size, expected, found, radius);
  const double sum = scores.precision + scores.recall;
  scores.f_measure = sum > 0 ? 2 * scores.precision * scores.recall / sum : 0;
  return scores;
}

}  // namespace diffseg
