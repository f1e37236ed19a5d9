// SPDX-License-Identifier: MIT
// Pairs found block by block, gathered into one sparse matrix.
#pragma once

#include <Eigen/SparseCore>
#include <algorithm>
#include <limits>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/parallel.hpp"

namespace diffseg::detail {

/// One pair below the ceiling.
template <class Scalar>
struct Match {
  int query;
  int anchor;
  Scalar divergence;  ///< nats
};

/// What gather_matches works with, for the next call.
template <class Scalar>
struct GatherScratch {
  std::vector<std::pair<int, Scalar>> entries;
  std::vector<int> next;  // [anchors] place of the next entry
};

/// A search found more pairs below the ceiling than it was granted. They were counted to the end,
/// so that who is told knows what to grant.
struct TooManyMatches : std::invalid_argument {
  TooManyMatches(const char* stage, Index allowed, Index all)
      : std::invalid_argument(message(stage, ": match_limit must be at least ", all,
                                      ", as many pairs lie below the threshold, "
                                      "got ",
                                      allowed,
                                      "; lower the threshold, take fewer anchors or allow more")),
        granted(allowed),
        found(all) {}
  Index granted;  ///< pairs that were allowed
  Index found;    ///< pairs below the ceiling
};

/// Bytes of one match: as found; sorted; stored; as an index of Merge's sets, which may have kept
/// twice their room from an earlier image, and of their runs.
template <class Scalar>
[[nodiscard]] constexpr double match_bytes() {
  return sizeof(Match<Scalar>) + sizeof(std::pair<int, Scalar>) + 4 + sizeof(Scalar) +
         2 * sizeof(Index) + 4;
}

/// Matches of all blocks as a sparse matrix [anchors x rows], columns ascending in each row.
template <class Scalar>
void gather_matches(std::span<const std::vector<Match<Scalar>>> blocks, Index anchors, Index rows,
                    const char* stage, GatherScratch<Scalar>& scratch,
                    Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>& out) {
  // A matrix that fails to grow is of no use any more: it is given back only when it is whole.
  Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int> matrix;
  matrix.swap(out);
  matrix.resize(anchors, rows);
  int* starts = matrix.outerIndexPtr();
  std::fill(starts, starts + anchors + 1, 0);
  Index total = 0;
  for (const auto& block : blocks) {
    total += static_cast<Index>(block.size());
    for (const auto& match : block) ++starts[match.anchor + 1];
  }
  require(total <= std::numeric_limits<int>::max(), stage,
          ": at most 2147483647 pairs may lie below the ceiling, got ", total);
  for (Index i = 0; i < anchors; ++i) starts[i + 1] += starts[i];
  // Room is made exactly, and what is too small goes first: all of it is counted.
  auto& entries = scratch.entries;
  if (entries.capacity() < static_cast<std::size_t>(total)) {
    std::remove_reference_t<decltype(entries)>().swap(entries);
    entries.reserve(static_cast<std::size_t>(total));
  }
  entries.resize(static_cast<std::size_t>(total));
  scratch.next.assign(starts, starts + anchors);
  for (const auto& block : blocks) {
    for (const auto& match : block) {
      const int place = scratch.next[static_cast<std::size_t>(match.anchor)]++;
      entries[static_cast<std::size_t>(place)] = {match.query, match.divergence};
    }
  }
  if (matrix.data().allocatedSize() < total) {
    Eigen::internal::CompressedStorage<Scalar, int>().swap(matrix.data());
  }
  matrix.data().resize(total);
  parallel_for(anchors, [&](Index anchor) {
    std::sort(entries.begin() + starts[anchor], entries.begin() + starts[anchor + 1],
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (int i = starts[anchor]; i < starts[anchor + 1]; ++i) {
      matrix.innerIndexPtr()[i] = entries[static_cast<std::size_t>(i)].first;
      matrix.valuePtr()[i] = entries[static_cast<std::size_t>(i)].second;
    }
  });
  out.swap(matrix);
}

}  // namespace diffseg::detail
