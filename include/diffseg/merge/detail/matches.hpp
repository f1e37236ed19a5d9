// SPDX-License-Identifier: MIT
// Pairs found block by block, gathered into one sparse matrix.
#pragma once

#include <Eigen/SparseCore>
#include <algorithm>
#include <limits>
#include <span>
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

/// Bytes of one match: as found, in a vector that grows by doubling; sorted; stored; as an index of
/// Merge's sets, which grow likewise, and of their runs.
template <class Scalar>
[[nodiscard]] constexpr double match_bytes() {
  constexpr double growth = 1.5;
  return growth * sizeof(Match<Scalar>) + sizeof(std::pair<int, Scalar>) + 4 + sizeof(Scalar) +
         growth * sizeof(Index) + 4;
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
  auto& entries = scratch.entries;
  entries.resize(static_cast<std::size_t>(total));
  scratch.next.assign(starts, starts + anchors);
  for (const auto& block : blocks) {
    for (const auto& match : block) {
      const int place = scratch.next[static_cast<std::size_t>(match.anchor)]++;
      entries[static_cast<std::size_t>(place)] = {match.query, match.divergence};
    }
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
