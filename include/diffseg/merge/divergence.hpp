// SPDX-License-Identifier: MIT
// Divergences between rows of probabilities: all pairs below a ceiling.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "diffseg/core/parallel.hpp"
#include "diffseg/data/memory.hpp"
#include "diffseg/merge/detail/divergence_tile.hpp"
#include "diffseg/merge/detail/matches.hpp"
#include "diffseg/merge/detail/packed_rows.hpp"
#include "diffseg/merge/detail/pooling.hpp"

namespace diffseg::detail {

/// What a search works with; kept for the next one, it allocates nothing again.
template <class Scalar>
struct DivergenceScratch {
  static constexpr Index block = 16;  ///< most rows of one search

  /// What one thread needs.
  struct Thread {
    PackedRows<Scalar> queries;
    Buffer<Scalar> pooled, line, bounds;
    std::array<Buffer<Scalar>, block / 4> sums;
    std::array<std::vector<int>, block / 4> candidates;
    std::vector<Match<Scalar>> found;  ///< of one block of rows
  };

  /// Gives back what may not be held beside `most` matches.
  template <class Sparse>
  void release(Index most, Sparse& out) {
    matches = {};
    if (gather.entries.capacity() > static_cast<std::size_t>(most)) gather = {};
    if (out.data().allocatedSize() > most) Sparse().swap(out);
  }

  PackedRows<Scalar> anchors;
  Buffer<Scalar> pooled;  ///< of the anchors, [blocks x 2 x stride]
  std::vector<Thread> threads;
  std::vector<std::vector<Match<Scalar>>> matches;  ///< of each block of rows
  std::vector<Index> evaluated;                     ///< pairs, by block of rows
  GatherScratch<Scalar> gather;
};

/// What a search of `anchors` among all maps of a grid needs: the anchors, the scratch of its
/// threads, and `share` of all pairs as matches.
template <class Scalar>
[[nodiscard]] SegmentMemory search_memory(GridSize grid, double anchors, double share) {
  constexpr double number = sizeof(Scalar);
  constexpr auto lanes = static_cast<double>(packet_size<Scalar>);
  constexpr auto rows = static_cast<double>(DivergenceScratch<Scalar>::block);
  const auto cells = static_cast<double>(grid.cells());
  const auto threads = static_cast<double>(thread_count());
  const double packed = 2 * (cells + lanes) + lanes;
  const double pooled = 2 * static_cast<double>(Pooling(grid).blocks());
  const double sums = anchors * 4 * lanes * 4 + 4 * (anchors + 4 * lanes);
  return {.anchors = anchors * (packed + pooled) * number,
          .matches = match_bytes<Scalar>() * share * anchors * cells,
          .scratch = threads * (rows * (packed + pooled) + cells + sums) * number +
                     threads * anchors * (4 * 4 + rows * sizeof(Match<Scalar>)) + cells * 8};
}

/// Finds, for blocks of rows, the anchors whose divergence is below a ceiling. An exact bound comes
/// first: block sums of two rows are never further apart than the rows (data-processing
/// inequality), so a pair whose pooled divergence reaches the ceiling, plus a margin for rounding,
/// is out. The others are computed in full, four neighbouring rows at a time.
template <class Scalar, class Pool>
class DivergenceSearch {
 public:
  static constexpr Index block = DivergenceScratch<Scalar>::block;
  static constexpr Index lanes = packet_size<Scalar>;
  using Scratch = typename DivergenceScratch<Scalar>::Thread;

  /// Anchors are rows of `rows` [R x n], which must outlive this, as `scratch` must; `pool` sums a
  /// row over blocks.
  DivergenceSearch(const Matrix<Scalar>& rows, std::span<const Index> anchors, const Pool& pool,
                   double ceiling, const char* stage, DivergenceScratch<Scalar>& scratch)
      : rows_(rows),
        pool_(pool),
        ceiling_(ceiling),
        stage_(stage),
        count_(static_cast<Index>(anchors.size())),
        stride_((count_ + 4 * lanes - 1) / (4 * lanes) * (4 * lanes)),
        anchors_(scratch.anchors),
        pooled_(scratch.pooled) {
    anchors_.resize(count_, rows.cols());
    make_room(pooled_, 2 * pool.blocks() * stride_);
    std::fill_n(pooled_.data(), 2 * pool.blocks() * stride_, Scalar(1));
    const auto add = [&](Index anchor, Scratch& thread) {
      const Index row = anchors[static_cast<std::size_t>(anchor)];
      pack(row, anchors_, anchor);
      const Scalar* pooled = pool_row(row, 0, thread);
      for (Index i = 0; i < pool_.blocks(); ++i) {
        pooled_[2 * i * stride_ + anchor] = pooled[i];
        pooled_[(2 * i + 1) * stride_ + anchor] = pooled[pool_.blocks() + i];
      }
    };
    parallel_for(
        count_, scratch.threads, [&](Scratch& thread) { prepare(thread); }, add);
  }

  /// Makes a thread's scratch fit this search; room for all anchors, as the rows that a thread gets
  /// are a matter of chance.
  void prepare(Scratch& scratch) const {
    scratch.queries.resize(block, rows_.cols());
    make_room(scratch.pooled, 2 * pool_.blocks() * block);
    make_room(scratch.line, rows_.cols());
    make_room(scratch.bounds, 4 * stride_);
    for (auto& sums : scratch.sums) make_room(sums, 4 * lanes * count_);
    for (auto& found : scratch.candidates) found.reserve(static_cast<std::size_t>(count_));
    scratch.found.reserve(static_cast<std::size_t>(block * count_));
  }

  /// Appends the matches of the rows `queries` (at most `block`) to `matches`; returns the number
  /// of pairs that the bound let through.
  Index search(std::span<const Index> queries, Scratch& scratch,
               std::vector<Match<Scalar>>& matches) const {
    const auto count = static_cast<Index>(queries.size());
    Index evaluated = 0;
    for (Index slot = 0; slot < count; ++slot) {
      const Index row = queries[static_cast<std::size_t>(slot)];
      const Index next = queries[static_cast<std::size_t>(std::min(slot + 1, count - 1))];
      pack(row, scratch.queries, slot, rows_.data() + next * rows_.cols());
      check_sum(row, pool_row(row, slot, scratch));
    }
    for (Index quad = 0; 4 * quad < count; ++quad) evaluated += filter(quad, count, scratch);
    evaluate(count, scratch);
    for (Index slot = 0; slot < count; ++slot) add_matches(queries, slot, scratch, matches);
    return evaluated;
  }

 private:
  void pack(Index row, PackedRows<Scalar>& packed, Index slot, const Scalar* next = nullptr) const {
    require(packed.pack(slot, rows_.data() + row * rows_.cols(), next), stage_,
            ": maps must be positive, finite and at most 1, row ", row, " is not");
  }

  /// Positive numbers that sum to 1 are at most 1 each.
  void check_sum(Index row, const Scalar* pooled) const {
    constexpr Scalar tolerance = 1e-3F;
    const Scalar sum = sum_of(pooled, pool_.blocks());
    require(std::abs(sum - 1) <= tolerance, stage_, ": maps must sum to 1 (to 1e-3), row ", row,
            " sums to ", sum);
  }

  /// Block sums of a row and their logarithms, [2 x blocks].
  const Scalar* pool_row(Index row, Index slot, Scratch& scratch) const {
    const Index blocks = pool_.blocks();
    Scalar* out = scratch.pooled.data() + 2 * slot * blocks;
    pool_.sum(rows_.data() + row * rows_.cols(), out, scratch.line.data());
    map_packets(out, blocks, out + blocks,
                [](const Packet<Scalar>& sum) { return Eigen::internal::plog(sum); });
    return out;
  }

  /// The rows of a quad; a short last one repeats its last row.
  template <class Row>
  static std::array<const Scalar*, 4> quad_rows(Index quad, Index count, const Row& row) {
    const auto slot = [&](Index i) { return row(std::min(4 * quad + i, count - 1)); };
    return {slot(0), slot(1), slot(2), slot(3)};
  }

  /// Twice the ceiling and what rounding may add: sums of depth() numbers, and logarithms as large
  /// as that of the floor, on both sides.
  [[nodiscard]] Scalar limit() const {
    const double margin = static_cast<double>(std::numeric_limits<Scalar>::epsilon()) *
                          (1 + ceiling_) * static_cast<double>(512 + 4 * pool_.depth());
    return static_cast<Scalar>(2 * (ceiling_ + margin));
  }

  /// The candidates of a quad: anchors that the bound leaves to one of its rows at least.
  Index filter(Index quad, Index count, Scratch& scratch) const {
    const auto rows = quad_rows(quad, count, [&](Index slot) -> const Scalar* {
      return scratch.pooled.data() + 2 * slot * pool_.blocks();
    });
    const Scalar* bounds = scratch.bounds.data();
    for (Index first = 0; first < stride_; first += 4 * lanes) {
      pooled_tile(rows, pool_.blocks(), pooled_.data(), stride_, first, scratch.bounds.data());
    }
    auto& candidates = scratch.candidates[static_cast<std::size_t>(quad)];
    candidates.clear();
    const Index used = std::min<Index>(4, count - 4 * quad);
    const Scalar most = limit();
    Index passed = 0;
    for (Index anchor = 0; anchor < count_; ++anchor) {
      Index below = 0;
      for (Index i = 0; i < used; ++i) below += bounds[i * stride_ + anchor] < most ? 1 : 0;
      if (below > 0) candidates.push_back(static_cast<int>(anchor));
      passed += below;
    }
    return passed;
  }

  /// Sums of all candidates, by tiles of columns that stay in the first cache levels.
  void evaluate(Index count, Scratch& scratch) const {
    constexpr Index tile = 512 / lanes;
    for (std::size_t quad = 0; quad < scratch.sums.size(); ++quad) {
      const auto found = static_cast<Index>(scratch.candidates[quad].size());
      std::fill_n(scratch.sums[quad].data(), found * 4 * lanes, Scalar(0));
    }
    for (Index begin = 0; begin < anchors_.packets(); begin += tile) {
      const Index end = std::min(begin + tile, anchors_.packets());
      for (Index quad = 0; 4 * quad < count; ++quad) {
        const auto index = static_cast<std::size_t>(quad);
        const auto rows =
            quad_rows(quad, count, [&](Index slot) { return scratch.queries.row(slot); });
        add_tiles(rows, scratch.candidates[index], begin, end, scratch.sums[index].data());
      }
    }
  }

  void add_tiles(const std::array<const Scalar*, 4>& rows, const std::vector<int>& candidates,
                 Index begin, Index end, Scalar* sums) const {
    const std::size_t count = candidates.size();
    for (std::size_t i = 0; i < count; i += 4, sums += 16 * lanes) {
      std::array<const Scalar*, 4> anchors{};
      const std::size_t used = std::min<std::size_t>(4, count - i);
      for (std::size_t k = 0; k < used; ++k) anchors[k] = anchors_.row(candidates[i + k]);
      if (used == 4) divergence_tile<4>(rows, anchors.data(), begin, end, sums);
      if (used == 3) divergence_tile<3>(rows, anchors.data(), begin, end, sums);
      if (used == 2) divergence_tile<2>(rows, anchors.data(), begin, end, sums);
      if (used == 1) divergence_tile<1>(rows, anchors.data(), begin, end, sums);
    }
  }

  void add_matches(std::span<const Index> queries, Index slot, const Scratch& scratch,
                   std::vector<Match<Scalar>>& matches) const {
    const auto quad = static_cast<std::size_t>(slot / 4);
    const auto& candidates = scratch.candidates[quad];
    if (candidates.empty()) return;
    const Scalar* sum = scratch.sums[quad].data() + (slot % 4) * lanes;
    for (const int anchor : candidates) {
      const Scalar value = Eigen::internal::predux(Eigen::internal::pload<Packet<Scalar>>(sum)) / 2;
      sum += 4 * lanes;
      if (static_cast<double>(value) >= ceiling_) continue;
      matches.push_back({static_cast<int>(queries[static_cast<std::size_t>(slot)]), anchor, value});
    }
  }

  const Matrix<Scalar>& rows_;
  const Pool& pool_;
  double ceiling_;
  const char* stage_;
  Index count_;
  Index stride_;
  PackedRows<Scalar>& anchors_;
  Buffer<Scalar>& pooled_;
};

/// out [anchors x rows] = the divergences below `ceiling` between the anchors and all rows
/// [R x n]. `order` lists all rows, neighbours that resemble each other; the result does not
/// depend on it. Returns the number of pairs that needed a full evaluation. `stage` opens errors.
/// More than `most` pairs below the ceiling, unless that is 0, are a TooManyMatches; no more than
/// so many are ever held.
template <class Scalar, class Pool>
Index divergences_below(const Matrix<Scalar>& rows, std::span<const Index> anchors,
                        std::span<const Index> order, const Pool& pool, double ceiling,
                        const char* stage, Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>& out,
                        DivergenceScratch<Scalar>& scratch, Index most = 0) {
  using Search = DivergenceSearch<Scalar, Pool>;
  if (most > 0) scratch.release(most, out);
  const Search search(rows, anchors, pool, ceiling, stage, scratch);
  const std::size_t blocks = (order.size() + Search::block - 1) / Search::block;
  auto& matches = scratch.matches;
  // Never fewer: that would lose the storage of the others.
  if (matches.size() < blocks) matches.resize(blocks);
  scratch.evaluated.resize(blocks);
  std::atomic<Index> total{0};
  const auto run = [&](Index block, typename Search::Scratch& thread) {
    const auto i = static_cast<std::size_t>(block);
    const std::size_t begin = i * Search::block;
    const auto queries =
        order.subspan(begin, std::min<std::size_t>(Search::block, order.size() - begin));
    thread.found.clear();
    scratch.evaluated[i] = search.search(queries, thread, thread.found);
    const auto found = static_cast<Index>(thread.found.size());
    const bool granted = total.fetch_add(found) + found <= most || most == 0;
    if (granted) matches[i].assign(thread.found.begin(), thread.found.end());
  };
  parallel_for(
      static_cast<Index>(blocks), scratch.threads,
      [&](typename Search::Scratch& thread) { search.prepare(thread); }, run);
  if (most > 0 && total > most) {
    scratch.release(0, out);
    throw TooManyMatches(stage, most, total);
  }
  gather_matches<Scalar>(std::span(matches).first(blocks), static_cast<Index>(anchors.size()),
                         rows.rows(), stage, scratch.gather, out);
  return std::accumulate(scratch.evaluated.begin(), scratch.evaluated.end(), Index{0});
}

}  // namespace diffseg::detail
