// SPDX-License-Identifier: MIT
// Anchors, divergences, the greedy merge, partitions and what they tell, in plain loops.
#pragma once

#include <algorithm>
#include <cmath>
#include <diffseg/core/types.hpp>
#include <vector>

namespace plain {

using diffseg::GridSize;
using diffseg::Index;
using Rows = diffseg::Matrix<double>;
using Sets = std::vector<std::vector<Index>>;

/// Cells of the anchors, row by row.
inline std::vector<Index> anchors(GridSize grid, GridSize count, bool published) {
  const auto place = [&](Index side, Index many, Index k) {
    const Index step = many > 1 ? (side - 1) / (many - 1) : 0;
    if (published) return (side - 1 - step * (many - 1)) / 2 + step * k;
    return ((2 * k + 1) * side - many) / (2 * many);  // floor((k + 1/2) side / many - 1/2)
  };
  std::vector<Index> cells;
  for (Index y = 0; y < count.height; ++y) {
    for (Index x = 0; x < count.width; ++x) {
      cells.push_back(place(grid.height, count.height, y) * grid.width +
                      place(grid.width, count.width, x));
    }
  }
  return cells;
}

/// D(p, q) = 1/2 sum (p - q) (ln p - ln q), and what rounding may do to it, in epsilons.
struct Divergence {
  double value = 0, error = 0;
};

/// Of two rows of n numbers, each off by `relative` epsilons already.
inline Divergence divergence(const double* p, const double* q, Index n, double relative = 0) {
  Divergence out;
  for (Index i = 0; i < n; ++i) {
    const double a = std::log(p[i]);
    const double b = std::log(q[i]);
    const double step = std::abs(p[i] - q[i]);
    out.value += 0.5 * (p[i] - q[i]) * (a - b);
    // Logarithms are right to 2 epsilon, and twice rounded on the way.
    out.error += step * (2 * std::abs(a) + 2 * std::abs(b)) / 2;
    out.error += relative * ((p[i] + q[i]) * std::abs(a - b) + 2 * step) / 2;
  }
  out.error += out.value * (static_cast<double>(n) + 8);
  return out;
}

/// Means of sets of rows.
inline Rows means(const Rows& rows, const Sets& sets) {
  Rows out = Rows::Zero(static_cast<Index>(sets.size()), rows.cols());
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (const Index row : sets[i]) out.row(static_cast<Index>(i)) += rows.row(row);
    out.row(static_cast<Index>(i)) /= static_cast<double>(sets[i].size());
  }
  return out;
}

/// What a merge comes to.
struct Merged {
  Rows rows;
  Sets anchors;
  std::vector<Index> row_counts, per_iteration;
  double relative = 0;     // what rounding may do to a number, in epsilons of it
  bool undecided = false;  // a divergence within rounding of a threshold
};

/// Which proposals are closer than the threshold, for each.
inline std::vector<std::vector<bool>> close_pairs(const Rows& rows, double threshold,
                                                  double epsilon, Merged& merged) {
  const auto count = static_cast<std::size_t>(rows.rows());
  std::vector<std::vector<bool>> close(count, std::vector<bool>(count, true));
  for (Index i = 0; i < rows.rows(); ++i) {
    for (Index j = 0; j < rows.rows(); ++j) {
      if (i == j) continue;
      const auto found = divergence(rows.data() + i * rows.cols(), rows.data() + j * rows.cols(),
                                    rows.cols(), merged.relative);
      close[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] = found.value < threshold;
      merged.undecided |= std::abs(found.value - threshold) <= epsilon * found.error;
    }
  }
  return close;
}

/// Merge from the sets of iteration 0: the greedy walk, in order. The maps are off by `relative`
/// epsilons already.
inline Merged merge(const Rows& maps, const Sets& first, const std::vector<double>& thresholds,
                    double epsilon, double relative = 0) {
  Merged merged;
  merged.rows = means(maps, first);
  merged.per_iteration = {merged.rows.rows()};
  std::size_t most = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    merged.anchors.push_back({static_cast<Index>(i)});
    merged.row_counts.push_back(static_cast<Index>(first[i].size()));
    most = std::max(most, first[i].size());
  }
  merged.relative = relative + static_cast<double>(most) + 2;
  for (std::size_t step = 1; step < thresholds.size(); ++step) {
    const auto close = close_pairs(merged.rows, thresholds[step], epsilon, merged);
    Sets sets;
    Sets anchors;
    std::vector<Index> counts;
    std::vector<bool> taken(close.size(), false);
    for (std::size_t i = 0; i < close.size(); ++i) {
      if (taken[i]) continue;
      sets.emplace_back();
      anchors.emplace_back();
      counts.push_back(0);
      for (std::size_t j = 0; j < close.size(); ++j) {
        if (!close[i][j]) continue;
        taken[j] = true;
        sets.back().push_back(static_cast<Index>(j));
        counts.back() += merged.row_counts[j];
        for (const Index anchor : merged.anchors[j]) anchors.back().push_back(anchor);
      }
      std::sort(anchors.back().begin(), anchors.back().end());
      anchors.back().erase(std::unique(anchors.back().begin(), anchors.back().end()),
                           anchors.back().end());
    }
    merged.relative += static_cast<double>(close.size()) + 2;
    merged.rows = means(merged.rows, sets);
    merged.anchors = anchors;
    merged.row_counts = counts;
    merged.per_iteration.push_back(static_cast<Index>(sets.size()));
  }
  return merged;
}

/// Each cell to the first of the largest proposals there; numbered without gaps.
inline std::vector<Index> partition(const Rows& proposals) {
  std::vector<Index> owners;
  for (Index cell = 0; cell < proposals.cols(); ++cell) {
    Index best = 0;
    for (Index k = 1; k < proposals.rows(); ++k) {
      if (proposals(k, cell) > proposals(best, cell)) best = k;
    }
    owners.push_back(best);
  }
  std::vector<Index> used = owners;
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (Index& owner : owners) {
    owner = std::lower_bound(used.begin(), used.end(), owner) - used.begin();
  }
  return owners;
}

/// H(T), I(T; Y) of a partition, I(X; Y), nats; what rounding may do to the latter two.
struct Told {
  Index segments = 0;
  double entropy = 0, information = 0, cells = 0;
  double error = 0;  // in epsilons
};

inline Told told(const Rows& maps, const std::vector<Index>& owners) {
  Told out;
  out.segments = *std::max_element(owners.begin(), owners.end()) + 1;
  const Rows all = maps.colwise().mean();
  const auto cells = static_cast<double>(maps.rows());
  Rows sums = Rows::Zero(out.segments, maps.cols());
  std::vector<double> sizes(static_cast<std::size_t>(out.segments), 0);
  for (Index cell = 0; cell < maps.rows(); ++cell) {
    sums.row(owners[static_cast<std::size_t>(cell)]) += maps.row(cell);
    ++sizes[static_cast<std::size_t>(owners[static_cast<std::size_t>(cell)])];
    for (Index i = 0; i < maps.cols(); ++i) {
      const double p = maps(cell, i);
      out.cells += p * std::log(p / all(0, i)) / cells;
      out.error += p * (std::abs(std::log(p)) + 1) * (cells + 10) / cells;
    }
  }
  for (Index k = 0; k < out.segments; ++k) {
    const double size = sizes[static_cast<std::size_t>(k)];
    out.entropy -= size / cells * std::log(size / cells);
    for (Index i = 0; i < maps.cols(); ++i) {
      out.information += sums(k, i) / cells * std::log(sums(k, i) / size / all(0, i));
    }
  }
  return out;
}

}  // namespace plain
