// SPDX-License-Identifier: MIT
// The whole of DiffSeg in one call.
#pragma once

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "diffseg/attention/aggregate.hpp"
#include "diffseg/labels/assign.hpp"
#include "diffseg/merge/compare.hpp"
#include "diffseg/merge/merge.hpp"

namespace diffseg {

/// The stages of segment(), as fields.
struct SegmentOptions {
  Aggregate aggregate = {};  ///< layers -> maps
  Compare compare = {};      ///< maps -> similarities; its ceiling becomes the first threshold
  Merge merge = {};          ///< similarities -> proposals
  Assign assign = {};        ///< proposals -> labels
  /// Bytes beyond the layers that a call may hold; 0: any. What segment_memory() expects to need
  /// more is refused before it is allocated, and pairs that match beyond what it expects once they
  /// are counted, before they are stored.
  Index memory_budget = 0;

  // The presets below change neither thresholds nor size. What they cost is measured by
  // `cmake --build build/bench --target study`: time relative to exact(), adjusted Rand index with
  // its labels (1: equal), median and worst; first of 4 attention stacks with the shapes of Stable
  // Diffusion 1.5, then of 10 photos through Affinity. Other anchors, 24 x 24, agree with exact()
  // to 0.62 and 0.54, and 0.78 and 0.58.

  /// DiffSeg as published: the defaults, and no error for layers of fewer than 16 x 16 cells, which
  /// get an anchor in every row and column.
  [[nodiscard]] static SegmentOptions exact() { return {.compare = {.fit = true}}; }
  /// Maps of half the sides, each from the attention of one query of four. 0.24 of the time, ARI
  /// 0.75 and 0.68; 0.17, 0.91 and 0.64.
  [[nodiscard]] static SegmentOptions balanced() { return approximate(2); }
  /// Maps of a quarter of the sides, each from the attention of one query of sixteen. 0.07 of the
  /// time, ARI 0.50 and 0.41; 0.05, 0.77 and 0.47.
  [[nodiscard]] static SegmentOptions fast() { return approximate(4); }

 private:
  static SegmentOptions approximate(Index shrink) {
    SegmentOptions options = exact();
    options.aggregate.shrink = shrink;
    options.aggregate.sample = true;
    return options;
  }
};

/// What segment() needs at its peak beyond the layers, for as many threads as there would be now:
/// an upper bound but for the matches. How many pairs of anchors and maps match is known only
/// afterwards, so a `match_share` of them is counted: of the golden cases 3 to 11 % match, of
/// trained attention up to 82 %, 1 bounds every case, and each tenth takes 5 bytes of every pair (6
/// in double). Up to 1.3 times what is
/// measured for maps of 64 x 64. Throws std::invalid_argument for layers and a grid that Aggregate
/// refuses, and for shares outside [0, 1].
template <class Scalar = float>
[[nodiscard]] SegmentMemory segment_memory(const Layers& layers, const SegmentOptions& options = {},
                                           double match_share = 0.15) {
  detail::require(match_share >= 0 && match_share <= 1,
                  "segment_memory: match_share must be in [0, 1], got ", match_share);
  const GridSize grid = options.aggregate.working_grid(layers);
  const double anchors = options.compare.anchor_count(grid);
  SegmentMemory memory = options.aggregate.memory<Scalar>(layers);
  memory += options.compare.memory<Scalar>(grid, match_share);
  memory += options.merge.memory<Scalar>(grid, anchors, match_share);
  memory += options.assign.memory<Scalar>(grid, anchors);
  return memory;
}

namespace detail {

/// What to do about too little memory: the largest grid of the same shape that fits.
template <class Scalar>
std::string fitting_grid(const Layers& layers, SegmentOptions options) {
  const GridSize full = options.aggregate.working_grid(layers);
  const GridSize least = options.compare.fit ? GridSize{1, 1} : options.compare.anchors;
  const char* const unshrunk = options.aggregate.shrink > 1 ? ", shrink = 1" : "";
  options.aggregate.shrink = 1;
  for (Index height = full.height - 1; height >= std::max<Index>(1, least.height); --height) {
    const Index width = std::max<Index>(1, full.width * height / full.height);
    if (width < least.width) break;
    options.aggregate.grid = {height, width};
    if (segment_memory<Scalar>(layers, options).total() >
        static_cast<double>(options.memory_budget)) {
      continue;
    }
    return message("Aggregate::grid = {", height, ", ", width, "}", unshrunk, " would fit");
  }
  return message("no grid fits that holds ", least.height, " x ", least.width, " anchors");
}

/// Bytes of the pairs that match in all iterations, if `match_share` of them do.
template <class Scalar>
double bytes_of_matches(const Layers& layers, const SegmentOptions& options, double match_share) {
  return segment_memory<Scalar>(layers, options, match_share).total() -
         segment_memory<Scalar>(layers, options, 0).total();
}

/// Matches that the budget still holds, 1 at least.
template <class Scalar>
Index granted_matches(const Layers& layers, const SegmentOptions& options) {
  const double rest = static_cast<double>(options.memory_budget) -
                      segment_memory<Scalar>(layers, options, 0).total();
  return std::max<Index>(1, static_cast<Index>(rest / match_bytes<Scalar>()));
}

/// What to do about more matches than the budget holds: `found` pairs of anchors and maps, and in
/// later iterations at most all.
template <class Scalar>
[[noreturn]] void refuse_matches(const Layers& layers, const SegmentOptions& options, Index found) {
  const GridSize grid = options.aggregate.working_grid(layers);
  const double anchors = options.compare.anchor_count(grid);
  const double pairs = anchors * static_cast<double>(grid.cells());
  const double later = bytes_of_matches<Scalar>(layers, options, 1) - match_bytes<Scalar>() * pairs;
  const double needed = segment_memory<Scalar>(layers, options, 0).total() + later +
                        match_bytes<Scalar>() * static_cast<double>(found);
  throw std::invalid_argument(message(
      "segment: memory_budget must be at least ", std::llround(std::ceil(needed)), " bytes, as ",
      found, " pairs of anchors and maps match (",
      std::llround(100 * static_cast<double>(found) / pairs), " %), got ", options.memory_budget,
      "; lower the thresholds, take fewer Compare::anchors or a smaller Aggregate::grid"));
}

/// Refuses to need more than the budget.
template <class Scalar>
void check_budget(const Layers& layers, const SegmentOptions& options) {
  require(options.memory_budget >= 0, "segment: memory_budget must be >= 0, got ",
          options.memory_budget);
  if (options.memory_budget == 0) return;
  const double needed = segment_memory<Scalar>(layers, options).total();
  if (needed <= static_cast<double>(options.memory_budget)) return;
  const GridSize grid = options.aggregate.working_grid(layers);
  require(false, "segment: memory_budget must be at least ", std::llround(needed),
          " bytes for maps of ", grid.height, " x ", grid.width, " cells, got ",
          options.memory_budget, "; ", fitting_grid<Scalar>(layers, options));
}

}  // namespace detail

/// Everything segment() makes on its way. Handed in again, its storage is used again: the next
/// image of the same sizes makes no large allocation.
template <class Scalar = float>
struct Segmentation {
  Maps<Scalar> maps;                  ///< of Aggregate
  Similarities<Scalar> similarities;  ///< of Compare
  Proposals<Scalar> proposals;        ///< of Merge
  Labels labels;                      ///< of Assign
  Workspace workspace = {};           ///< what the stages work with; tells nothing of the image

  /// Exchanges all, copies nothing.
  void swap(Segmentation& other) noexcept {
    std::swap(maps, other.maps);
    similarities.swap(other.similarities);
    std::swap(proposals, other.proposals);
    std::swap(labels, other.labels);
    std::swap(workspace, other.workspace);
  }
};

namespace detail {

/// Where storage of other sizes may be held no longer beside that of a new image, it goes.
template <class Scalar>
void keep_fitting(const Layers& layers, const SegmentOptions& options, Segmentation<Scalar>& out) {
  const GridSize grid = options.aggregate.working_grid(layers);
  const auto anchors = static_cast<std::size_t>(options.compare.anchor_count(grid));
  const bool fits = out.maps.grid() == grid && out.similarities.anchors.size() == anchors &&
                    out.labels.size == options.assign.size;
  if (!fits) out = {};
}

/// Compare and Merge within what the budget has left for matches.
template <class Scalar>
void match_within_budget(const Layers& layers, const SegmentOptions& options, Compare compare,
                         Segmentation<Scalar>& result) {
  Merge merge = options.merge;
  const Index granted = granted_matches<Scalar>(layers, options);
  const auto least = [](Index own, Index rest) {
    return own > 0 ? std::min(own, rest) : std::max<Index>(1, rest);
  };
  compare.match_limit = least(compare.match_limit, granted);
  Index found = 0;
  try {
    compare(result.maps, result.similarities, result.workspace);
    found = static_cast<Index>(result.similarities.divergences.nonZeros());
    merge.match_limit = least(merge.match_limit, granted - found);
    merge(result.similarities, result.proposals, result.workspace);
  } catch (const TooManyMatches& error) {
    const Index own = found > 0 ? options.merge.match_limit : options.compare.match_limit;
    if (error.granted == own) throw;
    refuse_matches<Scalar>(layers, options, found > 0 ? found : error.found);
  }
}

}  // namespace detail

/// Attention layers -> labels, every intermediate result kept in `out`. Throws
/// std::invalid_argument for what its stages refuse, and for a memory_budget that does not hold
/// them (the message names the bytes that do); `out` is empty or as it was then.
template <class Scalar>
void segment(const Layers& layers, const SegmentOptions& options, Segmentation<Scalar>& out) {
  options.merge.check();
  detail::check_budget<Scalar>(layers, options);
  // Nobody else sees these similarities: pairs above the first threshold would be of no use.
  Compare compare = options.compare;
  compare.ceiling = options.merge.thresholds.front();
  Segmentation<Scalar> result;
  result.swap(out);
  if (options.memory_budget > 0) detail::keep_fitting(layers, options, result);
  // The maps can be written in place only while no other result refers to them.
  result.similarities.maps = {};
  result.proposals.maps = {};

  options.aggregate(layers, result.maps, result.workspace);
  if (options.memory_budget > 0) {
    detail::match_within_budget(layers, options, compare, result);
  } else {
    compare(result.maps, result.similarities, result.workspace);
    options.merge(result.similarities, result.proposals, result.workspace);
  }
  options.assign(result.proposals, result.labels, result.workspace);
  result.swap(out);
}

/// Attention layers -> labels, one per pixel of options.assign.size.
template <class Scalar = float>
[[nodiscard]] Labels segment(const Layers& layers, const SegmentOptions& options = {}) {
  Segmentation<Scalar> result;
  segment(layers, options, result);
  return std::move(result.labels);
}

}  // namespace diffseg
