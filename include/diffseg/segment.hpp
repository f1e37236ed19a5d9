// SPDX-License-Identifier: MIT
// The whole of DiffSeg in one call.
#pragma once

#include "diffseg/core/types.hpp"
#include "diffseg/core/workspace.hpp"
#include "diffseg/stages/aggregate.hpp"
#include "diffseg/stages/assign.hpp"
#include "diffseg/stages/compare.hpp"
#include "diffseg/stages/merge.hpp"

namespace diffseg {

/// The stages of segment(), as fields.
struct SegmentOptions {
  Aggregate aggregate = {};
  Compare compare = {};  ///< its ceiling is taken from the first threshold
  Merge merge = {};
  Assign assign = {};

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

/// Everything segment() makes on its way. Handed in again, its storage is used again: the next
/// image of the same sizes makes no large allocation.
template <class Scalar = float>
struct Segmentation {
  Maps<Scalar> maps;
  Similarities<Scalar> similarities;
  Proposals<Scalar> proposals;
  Labels labels;
  Workspace workspace = {};  ///< what the stages work with; tells nothing of the image
};

/// Attention layers -> labels, every intermediate result kept in `out`.
template <class Scalar>
void segment(const Layers& layers, const SegmentOptions& options, Segmentation<Scalar>& out) {
  options.merge.check();
  // Nobody else sees these similarities: pairs above the first threshold would be of no use.
  Compare compare = options.compare;
  compare.ceiling = options.merge.thresholds.front();
  // The maps can be written in place only while no other result refers to them.
  out.similarities.maps = {};
  out.proposals.maps = {};

  options.aggregate(layers, out.maps, out.workspace);
  compare(out.maps, out.similarities, out.workspace);
  options.merge(out.similarities, out.proposals, out.workspace);
  options.assign(out.proposals, out.labels, out.workspace);
}

/// Attention layers -> labels, one per pixel of options.assign.size.
template <class Scalar = float>
[[nodiscard]] Labels segment(const Layers& layers, const SegmentOptions& options = {}) {
  Segmentation<Scalar> result;
  segment(layers, options, result);
  return std::move(result.labels);
}

}  // namespace diffseg
