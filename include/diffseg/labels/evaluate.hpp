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

#include "diffseg/labels/contingency.hpp"
#include "diffseg/labels/detail/border_cells.hpp"
#include "diffseg/math/matching.hpp"

namespace diffseg {

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

  /// The pixels of another photo too, of equally many classes; the first may be those of none.
  ClassCounts& operator+=(const ClassCounts& other) {
    if (true_positives.empty()) return *this = other;
    const std::size_t size = true_positives.size();
    detail::require(other.true_positives.size() == size,
                    "ClassCounts: photos must have equally many classes, got ", size, " and ",
                    other.true_positives.size());
    for (std::size_t c = 0; c < size; ++c) {
      true_positives[c] += other.true_positives[c];
      false_positives[c] += other.false_positives[c];
      false_negatives[c] += other.false_negatives[c];
    }
    pixels += other.pixels;
    return *this;
  }
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

/// What class_matching's pairs get right and wrong; a column that `counts` lacks is no prediction.
[[nodiscard]] inline ClassCounts count_matched(const SparseCounts& counts,
                                               const std::vector<Index>& columns,
                                               Unmatched unmatched) {
  const auto at = [](Index i) { return static_cast<std::size_t>(i); };
  const auto size = at(counts.rows());
  ClassCounts result{std::vector<std::int64_t>(size), std::vector<std::int64_t>(size),
                     std::vector<std::int64_t>(size), 0};
  std::vector<std::int64_t> sums(at(counts.cols()), 0);
  std::vector<std::int64_t> largest(sums.size(), 0);
  std::vector<Index> class_of(sums.size(), -1);  // that a prediction covers most
  for (Index row = 0; row < counts.rows(); ++row) {
    for (SparseCounts::InnerIterator entry(counts, row); entry; ++entry) {
      const std::size_t column = at(entry.col());
      sums[column] += entry.value();
      result.pixels += entry.value();
      auto& kind = entry.col() == columns[at(row)] ? result.true_positives : result.false_negatives;
      kind[at(row)] += entry.value();
      if (entry.value() <= largest[column]) continue;
      largest[column] = entry.value();
      class_of[column] = row;
    }
  }
  std::vector<bool> matched(sums.size(), false);
  for (std::size_t c = 0; c < size; ++c) {
    if (columns[c] < 0 || columns[c] >= counts.cols()) continue;
    matched[at(columns[c])] = true;
    result.false_positives[c] = sums[at(columns[c])] - result.true_positives[c];
  }
  for (std::size_t column = 0; column < sums.size(); ++column) {
    if (unmatched == Unmatched::ignored || matched[column] || class_of[column] < 0) continue;
    result.false_positives[at(class_of[column])] += sums[column] - largest[column];
  }
  return result;
}

namespace detail {

/// match_sparse_rows, and the classes and predictions that it leaves over in pairs by their order:
/// no pair of these shares a pixel.
inline std::vector<Index> match_all_classes(const SparseCounts& counts) {
  std::vector<Index> columns = match_sparse_rows(counts);
  std::vector<bool> used(static_cast<std::size_t>(counts.cols()), false);
  for (const Index column : columns) {
    if (column >= 0) used[static_cast<std::size_t>(column)] = true;
  }
  auto free = used.begin();
  for (Index& column : columns) {
    if (column >= 0) continue;
    free = std::find(free, used.end(), false);
    if (free == used.end()) break;
    column = free - used.begin();
    *free = true;
  }
  return columns;
}

}  // namespace detail

/// [classes] the prediction that each class is matched with, one to one for the most pixels; -1, or
/// a column that `counts` lacks: none. All classes take part, also those without pixels: with no
/// more predictions than classes every prediction gets one. Of equally good matchings that of the
/// widespread implementation in Python; of tables with more than 2^22 entries any, always the same.
[[nodiscard]] inline std::vector<Index> class_matching(const SparseCounts& counts) {
  const Index classes = counts.rows();
  const Index columns = std::max(classes, counts.cols());
  if (classes > 0 && columns > (Index{1} << 22) / classes) return detail::match_all_classes(counts);
  Counts padded = Counts::Zero(classes, columns);
  padded.leftCols(counts.cols()) = counts.toDense();
  return detail::match_rows(padded).columns;
}

/// class_matching and count_matched in one.
[[nodiscard]] inline ClassCounts match_classes(const SparseCounts& counts, Unmatched unmatched) {
  return count_matched(counts, class_matching(counts), unmatched);
}

/// The same of a table that stores its zeros.
[[nodiscard]] inline ClassCounts match_classes(const Counts& counts, Unmatched unmatched) {
  return match_classes(SparseCounts(counts.sparseView()), unmatched);
}

/// One matching per photo, classes added up over photos: the protocol of the published code, with
/// Unmatched::ignored. `photos` are confusion() matrices with equally many classes (rows).
[[nodiscard]] inline ClassCounts per_image(std::span<const Counts> photos, Unmatched unmatched) {
  ClassCounts total;
  for (const Counts& counts : photos) {
    total += match_classes(counts, unmatched);
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
[[nodiscard]] inline PartitionScores score(const SparseCounts& table) {
  Eigen::VectorXd truths = Eigen::VectorXd::Zero(table.rows());
  Eigen::VectorXd predictions = Eigen::VectorXd::Zero(table.cols());
  const auto pairs = [](const auto& n) { return n * (n - 1) / 2; };
  double together = 0;
  const auto each = [&](Index row, const auto& use) {
    for (SparseCounts::InnerIterator entry(table, row); entry; ++entry) {
      if (entry.value() != 0) use(static_cast<double>(entry.value()), entry.col());
    }
  };
  for (Index i = 0; i < table.rows(); ++i) {
    each(i, [&](double both, Index j) {
      truths[i] += both;
      predictions[j] += both;
      together += pairs(both);
    });
  }
  const double pixels = truths.sum();
  detail::require(pixels > 0, "score: at least one pixel must be annotated, got 0");
  PartitionScores scores;
  for (Index i = 0; i < table.rows(); ++i) {
    double best = 0;
    each(i, [&](double both, Index j) {
      best = std::max(best, both / (truths[i] + predictions[j] - both));
      scores.variation_of_information -=
          both / pixels * (std::log2(both / truths[i]) + std::log2(both / predictions[j]));
    });
    scores.covering += truths[i] / pixels * best;
  }
  const double all = pairs(pixels);
  const double in_truth = pairs(truths.array()).sum();
  const double in_prediction = pairs(predictions.array()).sum();
  scores.rand_index = all == 0 ? 1 : (all + 2 * together - in_truth - in_prediction) / all;
  const double chance = all == 0 ? 0 : in_truth * in_prediction / all;
  const double most = (in_truth + in_prediction) / 2;
  scores.adjusted_rand_index = most == chance ? 1 : (together - chance) / (most - chance);
  return scores;
}

/// The same of a table that stores its zeros.
[[nodiscard]] inline PartitionScores score(const Counts& counts) {
  return score(SparseCounts(counts.sparseView()));
}

/// A prediction against all annotators of its photo: the mean over the truths, of which those
/// without any annotated pixel count for nothing. Covering is then the pooled one of the BSDS
/// benchmark (areas and best overlaps of all annotators' regions, added up), where every annotator
/// labels the same pixels; rand_index is the probabilistic Rand index. Errors:
/// std::invalid_argument for no truth, or none with an annotated pixel.
[[nodiscard]] inline PartitionScores score(const Labels& predicted,
                                           std::span<const Labels> truths) {
  detail::require(!truths.empty(), "score: there must be at least one truth, got 0");
  std::vector<PartitionScores> each;
  for (const Labels& truth : truths) {
    const SparseCounts table = sparse_contingency(predicted, truth);
    if (table.nonZeros() > 0) each.push_back(score(table));
  }
  detail::require(!each.empty(), "score: at least one pixel must be annotated, got 0 in ",
                  truths.size(), " truths");
  PartitionScores mean;
  const double share = 1.0 / static_cast<double>(each.size());
  for (const PartitionScores& one : each) {
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
