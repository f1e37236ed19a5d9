// SPDX-License-Identifier: MIT
// How much memory stages need, told before any of it is allocated.
#pragma once

namespace diffseg {

/// Bytes that segment() holds at its peak beyond the layers, by what they are for. Each stage tells
/// its own (`memory()`, beside its scratch); segment_memory() adds them up. What a stage has freed
/// is counted on: the next one may find the storage still held.
struct SegmentMemory {
  double maps = 0;       ///< [T x T]
  double sums = 0;       ///< of layers on other grids, where some are queries with keys
  double anchors = 0;    ///< of Compare, with their logarithms and block sums
  double matches = 0;    ///< pairs below the ceiling: found, sorted, stored, and what Merge reads
  double proposals = 0;  ///< before and after an iteration of Merge
  double labels = 0;     ///< of the pixels
  double scratch = 0;    ///< of as many threads as there would be now

  /// Bytes of all.
  [[nodiscard]] double total() const {
    return maps + sums + anchors + matches + proposals + labels + scratch;
  }

  /// Both at a time.
  SegmentMemory& operator+=(const SegmentMemory& other) {
    maps += other.maps;
    sums += other.sums;
    anchors += other.anchors;
    matches += other.matches;
    proposals += other.proposals;
    labels += other.labels;
    scratch += other.scratch;
    return *this;
  }
};

}  // namespace diffseg
