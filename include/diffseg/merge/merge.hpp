// SPDX-License-Identifier: MIT
// Merge: Similarities -> Proposals.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/workspace.hpp"
#include "diffseg/data/proposals.hpp"
#include "diffseg/data/similarities.hpp"
#include "diffseg/math/row_means.hpp"
#include "diffseg/merge/detail/matrix_shelf.hpp"
#include "diffseg/merge/divergence.hpp"

namespace diffseg {

/// Similarities -> Proposals, in the order of the published code (Tian et al., arXiv 2308.12469,
/// section 3.3). Iteration 0: for each anchor the mean of all maps closer than thresholds[0].
/// Every later one walks the proposals in order; one that no earlier one has taken is replaced by
/// the mean of all proposals closer than its threshold, taken or not, and takes them. Means are
/// plain means. Errors: std::invalid_argument for thresholds that are empty, not positive, NaN or,
/// the first, above the ceiling of the similarities, and for similarities that contradict
/// themselves.
struct Merge {
  using Stage = void;  ///< it may begin or follow a chain

  std::vector<double> thresholds = {0.9, 0.9, 0.9};  ///< nats, > 0, one per iteration
  /// Pairs of proposals below a later threshold, >= 1; more are refused as by Compare; 0: any.
  Index match_limit = 0;

  /// The proposals that the anchors become.
  template <class Scalar>
  [[nodiscard]] Proposals<Scalar> operator()(const Similarities<Scalar>& similarities) const {
    Proposals<Scalar> proposals;
    (*this)(similarities, proposals);
    return proposals;
  }

  /// The same into `proposals`, reusing its storage. After an exception they are
  /// empty, or as they were if no map was read.
  template <class Scalar>
  void operator()(const Similarities<Scalar>& similarities, Proposals<Scalar>& proposals) const {
    Workspace workspace;
    (*this)(similarities, proposals, workspace);
  }

  /// The same with what an earlier call has left in `workspace`.
  template <class Scalar>
  void operator()(const Similarities<Scalar>& similarities, Proposals<Scalar>& proposals,
                  Workspace& workspace) const;

  /// Throws what operator() would throw for these options alone.
  void check() const {
    detail::require(!thresholds.empty(), "Merge: thresholds must not be empty");
    for (const double threshold : thresholds) {
      detail::require(threshold > 0 && detail::is_finite(threshold),
                      "Merge: thresholds must be > 0 and finite, got ", threshold);
    }
    detail::require(match_limit >= 0, "Merge: match_limit must be >= 0, got ", match_limit);
  }

  /// The proposals and what the stage works with for so many anchors on `grid`, of which
  /// `match_share` of the pairs match; the sets of iteration 0 are counted with Compare's matches.
  template <class Scalar = float>
  [[nodiscard]] SegmentMemory memory(GridSize grid, double anchors, double match_share) const {
    constexpr double number = sizeof(Scalar);
    const auto cells = static_cast<double>(grid.cells());
    const bool later = thresholds.size() > 1;
    const auto threads = static_cast<double>(detail::thread_count());
    return {.matches = later ? detail::match_bytes<Scalar>() * match_share * anchors * anchors : 0,
            .proposals = (later ? 2 : 1) * anchors * cells * number,
            .scratch = threads * (4096 * number + 10 * cells)};
  }

 private:
  using Sets = std::vector<std::vector<Index>>;

  /// What one call can use again of another.
  template <class Scalar>
  struct Scratch {
    Sets sets;  // those beyond the ones in use wait with their storage
    std::vector<Index> order;
    Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int> close;
    detail::RowMeansScratch<Scalar> means;
    detail::MatrixShelf<Scalar> shelf;
  };

  /// Empties the first sets and sees to room for so many numbers in each, no more where it is new.
  /// What earlier images have left goes where all of it is more than twice what is needed.
  static void make_sets(Sets& sets, std::span<const std::size_t> sizes) {
    if (sets.size() < sizes.size()) sets.resize(sizes.size());
    std::size_t needed = 0;
    std::size_t held = 0;
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const std::size_t need = i < sizes.size() ? sizes[i] : 0;
      needed += need;
      held += std::max(need, sets[i].capacity());
    }
    if (held > 2 * needed) Sets(sets.size()).swap(sets);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      sets[i].clear();
      sets[i].reserve(sizes[i]);
    }
  }

  /// Iteration 0: one proposal per anchor.
  template <class Scalar>
  void average_maps(const Similarities<Scalar>& similarities, Proposals<Scalar>& proposals,
                    Scratch<Scalar>& scratch) const {
    const auto& divergences = similarities.divergences;
    const Index tokens = similarities.maps.tokens();
    const std::size_t count = similarities.anchors.size();
    const auto below = [&](Scalar value) {
      return static_cast<double>(value) < thresholds.front();
    };
    using Row = typename Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>::InnerIterator;
    std::vector<std::size_t> sizes(count, 0);
    for (std::size_t anchor = 0; anchor < count; ++anchor) {
      for (Row match(divergences, static_cast<Index>(anchor)); match; ++match) {
        sizes[anchor] += below(match.value()) ? 1 : 0;
      }
    }
    make_sets(scratch.sets, sizes);
    for (std::size_t anchor = 0; anchor < count; ++anchor) {
      auto& set = scratch.sets[anchor];
      for (Row match(divergences, static_cast<Index>(anchor)); match; ++match) {
        if (below(match.value())) set.push_back(match.col());
      }
      detail::require(
          !set.empty(),
          "Merge: an anchor must match one map at least, itself at divergence 0; anchor ", anchor,
          " matches none");
    }
    proposals.maps = similarities.maps;
    scratch.shelf.put(std::move(proposals.rows));
    proposals.rows = scratch.shelf.take(static_cast<Index>(count), tokens);
    detail::row_means(similarities.maps.rows(), std::span(scratch.sets).first(count),
                      neighbours_first(similarities.anchors, similarities.maps.grid()),
                      proposals.rows, scratch.means);
    proposals.anchors.resize(count);
    proposals.row_counts.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      proposals.anchors[i] = {static_cast<Index>(i)};
      proposals.row_counts[i] = static_cast<Index>(scratch.sets[i].size());
    }
    proposals.per_iteration = {static_cast<Index>(count)};
  }

  /// Every map that matched is read once at least, every mean written; what comes later is little.
  template <class Scalar>
  static Index bytes_of_means(const Proposals<Scalar>& proposals, const Scratch<Scalar>& scratch) {
    std::vector<char> matched(static_cast<std::size_t>(proposals.maps.tokens()), 0);
    for (const auto& set : std::span(scratch.sets).first(proposals.anchors.size())) {
      for (const Index row : set) matched[static_cast<std::size_t>(row)] = 1;
    }
    const Index read = std::count(matched.begin(), matched.end(), char{1});
    return (read + proposals.rows.rows()) * proposals.rows.cols() *
           static_cast<Index>(sizeof(Scalar));
  }

  /// One later iteration.
  template <class Scalar>
  void join(double threshold, Proposals<Scalar>& proposals, Scratch<Scalar>& scratch,
            detail::DivergenceScratch<Scalar>& search) const {
    auto& all = scratch.order;
    all.resize(static_cast<std::size_t>(proposals.rows.rows()));
    std::iota(all.begin(), all.end(), Index{0});
    detail::divergences_below<Scalar>(proposals.rows, all, all,
                                      detail::Pooling(proposals.maps.grid()), threshold, "Merge",
                                      scratch.close, search, match_limit);
    const auto sets = greedy_sets(scratch.close, scratch.sets);
    auto joined = scratch.shelf.take(static_cast<Index>(sets.size()), proposals.rows.cols());
    detail::row_means(proposals.rows, sets, std::span(all).first(sets.size()), joined,
                      scratch.means);
    scratch.shelf.put(std::exchange(proposals.rows, std::move(joined)));
    join_origins(sets, proposals);
  }

  /// The anchors and counts of the joined proposals.
  template <class Scalar>
  static void join_origins(std::span<const std::vector<Index>> sets, Proposals<Scalar>& proposals) {
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
  /// Returns the sets made, the first of `sets`.
  template <class Scalar>
  static std::span<const std::vector<Index>> greedy_sets(
      const Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>& close, Sets& sets) {
    std::size_t count = 0;
    std::vector<char> taken(static_cast<std::size_t>(close.rows()), 0);
    for (Index row = 0; row < close.rows(); ++row) {
      if (taken[static_cast<std::size_t>(row)] != 0) continue;
      if (sets.size() <= count) sets.resize(count + 1);
      auto& set = sets[count++];
      set.clear();
      using Row = typename Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>::InnerIterator;
      set.reserve(static_cast<std::size_t>(close.innerVector(row).nonZeros()));
      for (Row match(close, row); match; ++match) {
        set.push_back(match.col());
        taken[static_cast<std::size_t>(match.col())] = 1;
      }
    }
    return std::span(sets).first(count);
  }

  /// Anchors along a Z-curve over the grid, so that any sixteen in a row are neighbours.
  [[nodiscard]] static std::vector<Index> neighbours_first(const std::vector<Index>& anchors,
                                                           GridSize grid) {
    // [side] 1 where anchors are, then how many such lines come before.
    std::vector<std::uint64_t> rows(static_cast<std::size_t>(grid.height), 0);
    std::vector<std::uint64_t> columns(static_cast<std::size_t>(grid.width), 0);
    const auto row = [&](Index token) { return static_cast<std::size_t>(token / grid.width); };
    const auto column = [&](Index token) { return static_cast<std::size_t>(token % grid.width); };
    for (const Index token : anchors) rows[row(token)] = columns[column(token)] = 1;
    for (auto* lines : {&rows, &columns}) {
      std::exclusive_scan(lines->begin(), lines->end(), lines->begin(), std::uint64_t{0});
    }
    std::vector<std::pair<std::uint64_t, Index>> keys;
    for (std::size_t i = 0; i < anchors.size(); ++i) {
      const std::uint64_t y = rows[row(anchors[i])];
      const std::uint64_t x = columns[column(anchors[i])];
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

template <class Scalar>
void Merge::operator()(const Similarities<Scalar>& similarities, Proposals<Scalar>& proposals,
                       Workspace& workspace) const {
  check();
  similarities.check("Merge");
  detail::require(thresholds.front() <= similarities.ceiling,
                  "Merge: thresholds[0] must be at most the ceiling ", similarities.ceiling,
                  " that Compare kept, got ", thresholds.front(), "; raise Compare::ceiling");
  Proposals<Scalar> result = std::exchange(proposals, {});
  detail::ProfileScope scope("Merge");
  auto& scratch = workspace.get<Scratch<Scalar>>();
  average_maps(similarities, result, scratch);
  if (Profile::is_listened_to()) scope.add_bytes(bytes_of_means(result, scratch));
  for (std::size_t i = 1; i < thresholds.size(); ++i) {
    join(thresholds[i], result, scratch, workspace.get<detail::DivergenceScratch<Scalar>>());
  }
  proposals = std::move(result);
}

}  // namespace diffseg
