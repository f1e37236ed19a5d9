// SPDX-License-Identifier: MIT
// How many pixels two label maps share, label by label.
// In truths a negative label means "not annotated": that pixel counts nowhere.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "diffseg/data/labels.hpp"
#include "diffseg/math/sparse_matching.hpp"

namespace diffseg {

/// Pixels of each pair of labels, [truth x predicted].
using Counts = Matrix<std::int64_t>;

namespace detail {

inline constexpr Index most_counts = Index{1} << 28;  // 2 GiB

inline void check_sizes(const Labels& predicted, const Labels& truth) {
  require(predicted.size == truth.size, "evaluate: prediction and truth must have one size, got ",
          predicted.size.height, " x ", predicted.size.width, " and ", truth.size.height, " x ",
          truth.size.width);
  predicted.check_size("evaluate");
  truth.check_size("evaluate");
}

/// A pair of labels and the pixels that have it.
struct SharedPixels {
  Index truth;
  Index predicted;
  std::int64_t pixels;
};

/// The pairs that occur, each once, ascending by truth and then by prediction.
inline std::vector<SharedPixels> shared_pixels(const Labels& predicted, const Labels& truth) {
  check_sizes(predicted, truth);
  std::vector<SharedPixels> runs;
  const auto same = [](const SharedPixels& a, const SharedPixels& b) {
    return a.truth == b.truth && a.predicted == b.predicted;
  };
  const auto add = [&](std::vector<SharedPixels>& list, const SharedPixels& one) {
    if (!list.empty() && same(list.back(), one)) {
      list.back().pixels += one.pixels;
    } else {
      list.push_back(one);
    }
  };
  for (std::size_t i = 0; i < truth.values.size(); ++i) {
    if (truth.values[i] >= 0) add(runs, {truth.values[i], predicted.values[i], 1});
  }
  std::sort(runs.begin(), runs.end(), [](const SharedPixels& a, const SharedPixels& b) {
    return a.truth != b.truth ? a.truth < b.truth : a.predicted < b.predicted;
  });
  std::vector<SharedPixels> pairs;
  for (const SharedPixels& run : runs) add(pairs, run);
  return pairs;
}

/// The pairs as a table; `pairs` ascend and lie within it.
inline SparseCounts table_of(const std::vector<SharedPixels>& pairs, Index truths,
                             Index predictions) {
  SparseCounts table(truths, predictions);
  table.reserve(static_cast<Index>(pairs.size()));
  auto next = pairs.begin();
  for (Index row = 0; row < truths; ++row) {
    table.startVec(row);
    for (; next != pairs.end() && next->truth == row; ++next) {
      table.insertBack(row, next->predicted) = next->pixels;
    }
  }
  table.finalize();
  return table;
}

}  // namespace detail

/// The confusion matrix [truths x predictions] of one photo, of which the pairs that occur are
/// stored. Errors: std::invalid_argument for labels outside it (but negative truths) and sizes that
/// differ.
[[nodiscard]] inline SparseCounts sparse_confusion(const Labels& predicted, const Labels& truth,
                                                   Index truths, Index predictions) {
  detail::require(truths >= 0 && predictions >= 0,
                  "confusion: the matrix must have >= 0 rows and columns, got ", truths, " x ",
                  predictions);
  const auto pairs = detail::shared_pixels(predicted, truth);
  for (const detail::SharedPixels& pair : pairs) {
    detail::require(pair.truth < truths, "confusion: true labels must be below ", truths, ", got ",
                    pair.truth);
    detail::require(pair.predicted >= 0 && pair.predicted < predictions,
                    "confusion: predicted labels must be in 0..", predictions - 1, ", got ",
                    pair.predicted);
  }
  return detail::table_of(pairs, truths, predictions);
}

/// sparse_confusion with all its zeros. Errors: also more than 2^28 entries.
[[nodiscard]] inline Counts confusion(const Labels& predicted, const Labels& truth, Index truths,
                                      Index predictions) {
  detail::require(
      truths >= 0 && predictions >= 0 &&
          detail::checked_product(truths, predictions, "confusion") <= detail::most_counts,
      "confusion: the matrix must have 0 to 2^28 entries, got ", truths, " x ", predictions,
      "; sparse_confusion stores only the pairs that occur");
  return sparse_confusion(predicted, truth, truths, predictions);
}

/// The confusion matrix of the labels that occur, [true regions x predicted regions], both in the
/// order of their labels. Errors: std::invalid_argument for negative predictions and sizes that
/// differ.
[[nodiscard]] inline SparseCounts sparse_contingency(const Labels& predicted, const Labels& truth) {
  auto pairs = detail::shared_pixels(predicted, truth);
  std::vector<Index> columns;
  for (const detail::SharedPixels& pair : pairs) {
    detail::require(pair.predicted >= 0, "contingency: predicted labels must be >= 0, got ",
                    pair.predicted);
    columns.push_back(pair.predicted);
  }
  std::sort(columns.begin(), columns.end());
  columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
  Index rows = 0;
  Index before = -1;
  for (detail::SharedPixels& pair : pairs) {
    if (std::exchange(before, pair.truth) != pair.truth) ++rows;
    pair.truth = rows - 1;
    pair.predicted =
        std::lower_bound(columns.begin(), columns.end(), pair.predicted) - columns.begin();
  }
  return detail::table_of(pairs, rows, static_cast<Index>(columns.size()));
}

/// sparse_contingency with all its zeros. Errors: also more than 2^28 entries.
[[nodiscard]] inline Counts contingency(const Labels& predicted, const Labels& truth) {
  const SparseCounts table = sparse_contingency(predicted, truth);
  detail::require(
      detail::checked_product(table.rows(), table.cols(), "contingency") <= detail::most_counts,
      "contingency: the matrix must have 0 to 2^28 entries, got ", table.rows(), " x ",
      table.cols(), "; sparse_contingency stores only the pairs that occur");
  return table;
}

}  // namespace diffseg
