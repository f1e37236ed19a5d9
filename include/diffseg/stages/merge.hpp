// SPDX-License-Identifier: MIT
// Merge: Similarities -> Proposals.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/types.hpp"
#include "diffseg/math/divergence.hpp"
#include "diffseg/math/pooling.hpp"
#include "diffseg/math/row_means.hpp"

namespace diffseg {

/// Similarities -> Proposals, in the order of the published code (Tian et al., arXiv 2308.12469,
/// section 3.3). Iteration 0: for each anchor the mean of all maps closer than thresholds[0].
/// Every later one walks the proposals in order; one that no earlier one has taken is replaced by
/// the mean of all proposals closer than its threshold, taken or not, and takes them. Means are
/// plain means. Errors: std::invalid_argument for thresholds that are empty, not positive, NaN or,
/// the first, above the ceiling of the similarities, and for similarities that contradict
/// themselves.
struct Merge {
  std::vector<double> thresholds = {0.9, 0.9, 0.9};  ///< nats, > 0, one per iteration

  template <class Scalar>
  [[nodiscard]] Proposals<Scalar> operator()(const Similarities<Scalar>& similarities) const {
    Proposals<Scalar> proposals;
    (*this)(similarities, proposals);
    return proposals;
  }

  /// The same into `proposals`, reusing its storage.
  template <class Scalar>
  void operator()(const Similarities<Scalar>& similarities, Proposals<Scalar>& proposals) const {
    check();
    require(thresholds.front() <= similarities.ceiling, "Merge: thresholds[0] must be at most the ",
            "ceiling ", similarities.ceiling, " that Compare kept, got ", thresholds.front(),
            "; raise Compare::ceiling");
    const ProfileScope scope("Merge");
    average_maps(similarities, proposals);
    for (std::size_t i = 1; i < thresholds.size(); ++i) join(thresholds[i], proposals);
  }

  /// Throws what operator() would throw for these options alone.
  void check() const {
    require(!thresholds.empty(), "Merge: thresholds must not be empty");
    for (const double threshold : thresholds) {
      require(threshold > 0 && is_finite(threshold),
              "Merge: thresholds must be > 0 and finite, got ", threshold);
    }
  }

 private:
  using Sets = std::vector<std::vector<Index>>;

  /// Iteration 0: one proposal per anchor.
  template <class Scalar>
  void average_maps(const Similarities<Scalar>& similarities, Proposals<Scalar>& proposals) const {
    const auto& divergences = similarities.divergences;
    const Index tokens = similarities.maps.tokens();
    require(!similarities.anchors.empty() && !similarities.maps.empty() &&
                divergences.rows() == static_cast<Index>(similarities.anchors.size()) &&
                divergences.cols() == tokens,
            "Merge: divergences must be [anchors x maps], at least 1 x 1, got ", divergences.rows(),
            " x ", divergences.cols(), " for ", similarities.anchors.size(), " anchors and ",
            tokens, " maps");
    Sets sets(similarities.anchors.size());
    for (std::size_t anchor = 0; anchor < sets.size(); ++anchor) {
      using Row = typename Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>::InnerIterator;
      for (Row match(divergences, static_cast<Index>(anchor)); match; ++match) {
        if (static_cast<double>(match.value()) < thresholds.front()) {
          sets[anchor].push_back(match.col());
        }
      }
      require(!sets[anchor].empty(),
              "Merge: an anchor must match one map at least, itself at divergence 0; anchor ",
              anchor, " matches none");
    }
    proposals.maps = similarities.maps;
    row_means(similarities.maps.rows(), sets,
              neighbours_first(similarities.anchors, similarities.maps.grid()), proposals.rows);
    proposals.anchors.resize(sets.size());
    proposals.row_counts.resize(sets.size());
    for (std::size_t i = 0; i < sets.size(); ++i) {
      proposals.anchors[i] = {static_cast<Index>(i)};
      proposals.row_counts[i] = static_cast<Index>(sets[i].size());
    }
    proposals.per_iteration = {static_cast<Index>(sets.size())};
  }

  /// One later iteration.
  template <class Scalar>
  static void join(double threshold, Proposals<Scalar>& proposals) {
    std::vector<Index> all(static_cast<std::size_t>(proposals.rows.rows()));
    std::iota(all.begin(), all.end(), Index{0});
    Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int> close;
    divergences_below<Scalar>(proposals.rows, all, all, Pooling(proposals.maps.grid()), threshold,
                              "Merge", close);
    const Sets sets = greedy_sets(close);
    std::vector<Index> order(sets.size());
    std::iota(order.begin(), order.end(), Index{0});
    Matrix<Scalar> joined;
    row_means(proposals.rows, sets, order, joined);
    proposals.rows.swap(joined);
    Sets anchors(sets.size());
    std::vector<Index> row_counts(sets.size(), 0);
    for (std::size_t i = 0; i < sets.size(); ++i) {
      for (const Index member : sets[i]) {
        const auto& origin = proposals.anchors[static_cast<std::size_t>(member)];
        anchors[i].insert(anchors[i].end(), origin.begin(), origin.end());
        row_counts[i] += proposals.row_counts[static_cast<std::size_t>(member)];
      }
      std::sort(anchors[i].begin(), anchors[i].end());
      anchors[i].erase(std::unique(anchors[i].begin(), anchors[i].end()), anchors[i].end());
    }
    proposals.anchors.swap(anchors);
    proposals.row_counts.swap(row_counts);
    proposals.per_iteration.push_back(static_cast<Index>(sets.size()));
  }

  /// Walks the rows of `close` [K x K] in order; a row that is not taken makes a set and takes it.
  template <class Scalar>
  static Sets greedy_sets(const Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>& close) {
    Sets sets;
    std::vector<char> taken(static_cast<std::size_t>(close.rows()), 0);
    for (Index row = 0; row < close.rows(); ++row) {
      if (taken[static_cast<std::size_t>(row)] != 0) continue;
      auto& set = sets.emplace_back();
      using Row = typename Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>::InnerIterator;
      for (Row match(close, row); match; ++match) {
        set.push_back(match.col());
        taken[static_cast<std::size_t>(match.col())] = 1;
      }
    }
    return sets;
  }

  /// Anchors along a Z-curve over the grid, so that any sixteen in a row are neighbours.
  [[nodiscard]] static std::vector<Index> neighbours_first(const std::vector<Index>& anchors,
                                                           GridSize grid) {
    const auto rank = [](const std::vector<Index>& values, Index value) {
      return static_cast<std::uint64_t>(std::lower_bound(values.begin(), values.end(), value) -
                                        values.begin());
    };
    std::vector<Index> rows, columns;
    for (const Index token : anchors) rows.push_back(token / grid.width);
    for (const Index token : anchors) columns.push_back(token % grid.width);
    for (auto* values : {&rows, &columns}) {
      std::sort(values->begin(), values->end());
      values->erase(std::unique(values->begin(), values->end()), values->end());
    }
    std::vector<std::pair<std::uint64_t, Index>> keys;
    for (std::size_t i = 0; i < anchors.size(); ++i) {
      const std::uint64_t y = rank(rows, anchors[i] / grid.width);
      const std::uint64_t x = rank(columns, anchors[i] % grid.width);
      std::uint64_t key = 0;
      for (unsigned bit = 0; bit < 31; ++bit) {
        key |= (x >> bit & 1U) << (2 * bit) | (y >> bit & 1U) << (2 * bit + 1);
      }
      keys.emplace_back(key, static_cast<Index>(i));
    }
    std::sort(keys.begin(), keys.end());
    std::vector<Index> order;
    order.reserve(keys.size());
    for (const auto& [key, anchor] : keys) order.push_back(anchor);
    return order;
  }
};

}  // namespace diffseg
