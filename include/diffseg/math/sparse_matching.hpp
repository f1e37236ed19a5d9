// SPDX-License-Identifier: MIT
// The assignment problem where most scores are zero and are not stored.
#pragma once

#include <Eigen/SparseCore>
#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg {

/// Numbers of pixels, of which those that are not stored are 0.
using SparseCounts = Eigen::SparseMatrix<std::int64_t, Eigen::RowMajor, Index>;

namespace detail {

/// Shortest augmenting paths as in ShortestPaths, but along stored scores alone: a heap holds the
/// columns within reach, and every row may stay alone at the price of 0. Whole numbers: exact.
class SparsePaths {
 public:
  explicit SparsePaths(const SparseCounts& scores)
      : scores_(scores),
        row_price_(at(scores.rows()), 0),
        column_price_(at(scores.cols()), 0),
        shortest_(at(scores.cols()), unreached),
        path_(at(scores.cols()), -1),
        row_of_(at(scores.cols()), -1),
        column_of_(at(scores.rows()), -1) {}

  /// [rows] column of each row, -1: it stays alone.
  std::vector<Index> solve() {
    for (Index row = 0; row < scores_.rows(); ++row) augment(row);
    return std::move(column_of_);
  }

 private:
  using Price = std::int64_t;
  using Reach = std::pair<Price, Index>;  // its length, the column or ~column where it is free

  static constexpr Price unreached = std::numeric_limits<Price>::max();

  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  void augment(Index start) {
    heap_ = {};
    for (const Index column : touched_) shortest_[at(column)] = unreached;
    touched_.clear();
    reached_.clear();
    alone_ = {unreached, -1};
    Price least = 0;
    Index row = start;
    Index sink = -1;
    while (true) {
      relax(row, least);
      while (!heap_.empty() && is_stale(heap_.top())) heap_.pop();
      if (heap_.empty() || heap_.top().first >= alone_.first) break;
      const auto [length, column] = heap_.top();
      heap_.pop();
      least = length;
      if (column < 0) {
        sink = ~column;
        break;
      }
      reached_.push_back(column);
      row = row_of_[at(column)];
    }
    if (sink < 0) least = alone_.first;
    update_prices(start, least);
    flip(start, sink);
  }

  /// Brings the columns of `row` within reach, `least` being the length of the path to it.
  void relax(Index row, Price least) {
    const Price base = least - row_price_[at(row)];
    if (base < alone_.first) alone_ = {base, row};
    for (SparseCounts::InnerIterator entry(scores_, row); entry; ++entry) {
      const Index column = entry.col();
      const Price length = base - entry.value() - column_price_[at(column)];
      Price& shortest = shortest_[at(column)];
      if (length >= shortest) continue;
      if (shortest == unreached) touched_.push_back(column);
      shortest = length;
      path_[at(column)] = row;
      // Of equal lengths those that end the path come first.
      heap_.emplace(length, row_of_[at(column)] < 0 ? ~column : column);
    }
  }

  /// A shorter way was found since.
  [[nodiscard]] bool is_stale(const Reach& reach) const {
    return reach.first > shortest_[at(reach.second < 0 ? ~reach.second : reach.second)];
  }

  void update_prices(Index start, Price least) {
    row_price_[at(start)] += least;
    for (const Index column : reached_) {
      const Price slack = least - shortest_[at(column)];
      column_price_[at(column)] -= slack;
      row_price_[at(row_of_[at(column)])] += slack;
    }
  }

  /// Changes the pairs along the path from `start` to `sink`, or to the row that stays alone.
  void flip(Index start, Index sink) {
    Index column = sink;
    if (sink < 0) column = std::exchange(column_of_[at(alone_.second)], -1);
    if (sink < 0 && alone_.second == start) return;
    for (Index row = -1; row != start;) {
      row = path_[at(column)];
      row_of_[at(column)] = row;
      std::swap(column_of_[at(row)], column);
    }
  }

  const SparseCounts& scores_;
  std::vector<Price> row_price_, column_price_, shortest_;
  std::vector<Index> path_, row_of_, column_of_, touched_, reached_;
  std::priority_queue<Reach, std::vector<Reach>, std::greater<>> heap_;
  Reach alone_ = {unreached, -1};  // length of the path to a row that then stays alone, that row
};

/// Scores [rows x columns] >= 0 -> [rows] the column of each row for the largest sum, each used
/// once at most; -1: none has a score with it. Of equal sums one, always the same. Exact. The time
/// grows with the stored scores that paths meet, the memory with all stored ones.
[[nodiscard]] inline std::vector<Index> match_sparse_rows(const SparseCounts& scores) {
  for (Index row = 0; row < scores.outerSize(); ++row) {
    for (SparseCounts::InnerIterator entry(scores, row); entry; ++entry) {
      require(entry.value() >= 0, "match_sparse_rows: scores must be >= 0, got ", entry.value(),
              " at row ", row, ", column ", entry.col());
    }
  }
  return SparsePaths(scores).solve();
}

}  // namespace detail
}  // namespace diffseg
