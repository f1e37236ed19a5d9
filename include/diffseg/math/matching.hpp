// SPDX-License-Identifier: MIT
// The assignment problem: which row goes with which column.
#pragma once

#include <limits>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// Rows and columns in pairs; as many pairs as the shorter side has.
struct Matching {
  std::vector<Index> columns;  ///< [rows] column of each row, -1: none left for it
  double total = 0;            ///< sum of the paired scores
};

/// Shortest augmenting paths (Crouse, "On implementing 2D rectangular assignment algorithms",
/// 2016) over costs [rows x columns], rows <= columns. Looks at the columns in the order of the
/// widespread implementation in Python, so that ties end the same way.
class ShortestPaths {
 public:
  explicit ShortestPaths(const Matrix<double>& costs)
      : costs_(costs),
        row_price_(static_cast<std::size_t>(costs.rows()), 0.0),
        column_price_(static_cast<std::size_t>(costs.cols()), 0.0),
        path_(column_price_.size(), -1),
        row_of_(column_price_.size(), -1),
        column_of_(row_price_.size(), -1) {}

  /// [rows] column of each row.
  std::vector<Index> solve() {
    for (Index row = 0; row < costs_.rows(); ++row) augment(row);
    return column_of_;
  }

 private:
  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  void augment(Index start) {
    shortest_.assign(column_price_.size(), std::numeric_limits<double>::max());
    remaining_.resize(column_price_.size());
    // Backwards: a constant matrix then gives the identity.
    for (std::size_t i = 0; i < remaining_.size(); ++i) {
      remaining_[i] = static_cast<Index>(remaining_.size() - 1 - i);
    }
    reached_.clear();
    double least = 0;
    Index row = start;
    Index sink = -1;
    while (sink < 0) {
      const Index column = step(row, least);
      reached_.push_back(column);
      sink = row_of_[at(column)] < 0 ? column : -1;
      row = row_of_[at(column)];
    }
    update_prices(start, least);
    flip(start, sink);
  }

  /// Relaxes the columns that remain from `row`; takes the nearest one out and returns it.
  Index step(Index row, double& least) {
    const double base = least - row_price_[at(row)];
    std::size_t nearest = 0;
    double lowest = std::numeric_limits<double>::max();
    for (std::size_t i = 0; i < remaining_.size(); ++i) {
      const Index column = remaining_[i];
      const double length = base + costs_(row, column) - column_price_[at(column)];
      double& shortest = shortest_[at(column)];
      if (length < shortest) {
        shortest = length;
        path_[at(column)] = row;
      }
      // Among equals one that ends the path.
      if (shortest < lowest || (shortest == lowest && row_of_[at(column)] < 0)) {
        lowest = shortest;
        nearest = i;
      }
    }
    least = lowest;
    const Index column = remaining_[nearest];
    remaining_[nearest] = remaining_.back();
    remaining_.pop_back();
    return column;
  }

  void update_prices(Index start, double least) {
    row_price_[at(start)] += least;
    for (const Index column : reached_) {
      const double slack = least - shortest_[at(column)];
      column_price_[at(column)] -= slack;
      if (row_of_[at(column)] >= 0) row_price_[at(row_of_[at(column)])] += slack;
    }
  }

  /// Changes the pairs along the path from `start` to `sink`.
  void flip(Index start, Index sink) {
    for (Index column = sink, row = -1; row != start;) {
      row = path_[at(column)];
      row_of_[at(column)] = row;
      std::swap(column_of_[at(row)], column);
    }
  }

  const Matrix<double>& costs_;
  std::vector<double> row_price_, column_price_, shortest_;
  std::vector<Index> path_, row_of_, column_of_, remaining_, reached_;
};

/// Scores [rows x columns] -> the pairs of rows and columns, each used once at most, whose scores
/// have the largest sum. Any shape; none of either: no pairs. Exact for integers up to 2^53 in all,
/// else up to rounding in double. O(short side^2 * long side). Errors: std::invalid_argument for
/// NaN and infinite scores.
template <class Scalar>
[[nodiscard]] Matching match_rows(const Matrix<Scalar>& scores) {
  Matrix<double> costs = scores.template cast<double>();
  for (Index i = 0; i < costs.size(); ++i) {
    require(is_finite(costs.data()[i]), "match_rows: scores must be finite, got ", costs.data()[i],
            " at row ", i / costs.cols(), ", column ", i % costs.cols());
  }
  costs = -costs;
  const bool tall = costs.rows() > costs.cols();
  if (tall) costs = Matrix<double>(costs.transpose());
  const std::vector<Index> partners = ShortestPaths(costs).solve();

  Matching matching;
  matching.columns.assign(static_cast<std::size_t>(scores.rows()), -1);
  for (std::size_t i = 0; i < partners.size(); ++i) {
    const auto row = tall ? static_cast<std::size_t>(partners[i]) : i;
    matching.columns[row] = tall ? static_cast<Index>(i) : partners[i];
    matching.total -= costs(static_cast<Index>(i), partners[i]);
  }
  return matching;
}

}  // namespace diffseg::detail
