// SPDX-License-Identifier: MIT
// Means of many overlapping sets of rows, sharing the sums that the sets have in common.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "diffseg/core/packet.hpp"
#include "diffseg/core/parallel.hpp"

namespace diffseg::detail {

/// A few sets as the runs of rows that belong to the same of them.
struct SharedRuns {
  static constexpr std::size_t sets = 16;
  std::vector<std::uint32_t> rows;   ///< row indices, run after run
  std::vector<std::size_t> ends;     ///< [runs] one past the last row of each run
  std::vector<std::uint16_t> masks;  ///< [runs] bit i: the rows belong to set i of the group
};

/// What find_runs works with.
struct RunScratch {
  std::vector<std::uint16_t> membership;                         // [rows]
  std::vector<std::pair<std::uint16_t, std::uint32_t>> members;  // rows that have any
};

/// Fills `runs` with those of the sets with these `ids`.
inline void find_runs(std::span<const std::vector<Index>> sets, std::span<const Index> ids,
                      Index row_count, RunScratch& scratch, SharedRuns& runs) {
  auto& [membership, members] = scratch;
  membership.assign(static_cast<std::size_t>(row_count), 0);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (const Index row : sets[static_cast<std::size_t>(ids[i])]) {
      auto& mask = membership[static_cast<std::size_t>(row)];
      mask = static_cast<std::uint16_t>(mask | 1U << i);
    }
  }
  members.clear();
  for (std::size_t row = 0; row < membership.size(); ++row) {
    if (membership[row] != 0) members.emplace_back(membership[row], row);
  }
  std::sort(members.begin(), members.end());
  runs.rows.clear();
  runs.ends.clear();
  runs.masks.clear();
  for (const auto& [mask, row] : members) {
    if (runs.masks.empty() || runs.masks.back() != mask) {
      runs.masks.push_back(mask);
      runs.ends.push_back(0);
    }
    runs.rows.push_back(row);
    runs.ends.back() = runs.rows.size();
  }
}

/// out [width] = the sum of columns [begin, begin + width) of some rows, four at a time.
template <class Scalar>
void sum_rows(const Matrix<Scalar>& rows, std::span<const std::uint32_t> ids, Index begin,
              Index width, Scalar* out) {
  using namespace Eigen::internal;
  const auto row = [&](std::size_t i) { return rows.data() + ids[i] * rows.cols() + begin; };
  std::copy_n(row(0), width, out);
  std::size_t next = 1;
  for (; next + 4 <= ids.size(); next += 4) {
    const Scalar* const from[] = {row(next), row(next + 1), row(next + 2), row(next + 3)};
    for_packets<Scalar>(width, [&](Index i, auto step) {
      using P = StepOf<decltype(step), Scalar>;
      const P first = padd(ploadu<P>(from[0] + i), ploadu<P>(from[1] + i));
      const P second = padd(ploadu<P>(from[2] + i), ploadu<P>(from[3] + i));
      pstoreu(out + i, padd(ploadu<P>(out + i), padd(first, second)));
    });
  }
  for (; next < ids.size(); ++next) add_to(row(next), width, out);
}

/// The means of one group of sets over columns [begin, begin + width); sum is scratch [width].
template <class Scalar>
void group_means(const Matrix<Scalar>& rows, std::span<const std::vector<Index>> sets,
                 std::span<const Index> ids, const SharedRuns& runs, Index begin, Index width,
                 Scalar* sum, Matrix<Scalar>& means) {
  using namespace Eigen::internal;
  const auto mean = [&](Index set) { return means.data() + set * means.cols() + begin; };
  for (const Index set : ids) std::fill_n(mean(set), width, Scalar(0));
  std::size_t first = 0;
  for (std::size_t run = 0; run < runs.ends.size(); ++run) {
    const std::size_t count = runs.ends[run] - first;
    sum_rows(rows, std::span(runs.rows).subspan(first, count), begin, width, sum);
    first += count;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if ((runs.masks[run] >> i & 1U) != 0) add_to(sum, width, mean(ids[i]));
    }
  }
  for (const Index set : ids) {
    const auto count = static_cast<Scalar>(sets[static_cast<std::size_t>(set)].size());
    Scalar* const out = mean(set);
    for_packets<Scalar>(width, [&](Index i, auto step) {
      using P = StepOf<decltype(step), Scalar>;
      pstoreu(out + i, divide_packet(ploadu<P>(out + i), pset1<P>(count)));
    });
  }
}

/// What row_means works with; kept for the next call, it allocates nothing again.
template <class Scalar>
struct RowMeansScratch {
  std::vector<SharedRuns> runs;         ///< of each group of sets
  std::vector<RunScratch> memberships;  ///< for each thread
  std::vector<Buffer<Scalar>> sums;     ///< for each thread
};

/// means [sets.size() x n] = for each set the mean of its rows of `rows` [R x n]. Sets are not
/// empty; `order` lists all sets, neighbours that overlap much; it decides the speed and the
/// rounding. Sixteen sets share their sums: a row that lies in several is added once, to the sum of
/// all rows with the same memberships, and that sum then to each of the sets. Only additions, so
/// nothing cancels: equal to the plain mean up to rounding, relative error below (rows + 2) eps.
template <class Scalar>
void row_means(const Matrix<Scalar>& rows, std::span<const std::vector<Index>> sets,
               std::span<const Index> order, Matrix<Scalar>& means,
               RowMeansScratch<Scalar>& scratch) {
  // The sets' rows of a tile stay in the second cache level; long pieces of rows stream best.
  constexpr Index tile = 4096;
  constexpr std::size_t together = SharedRuns::sets;
  set_size(means, static_cast<Index>(sets.size()), rows.cols());
  const std::size_t groups = (order.size() + together - 1) / together;
  auto& runs = scratch.runs;
  if (runs.size() < groups) runs.resize(groups);
  const auto group_sets = [&](std::size_t group) {
    return order.subspan(group * together, std::min(together, order.size() - group * together));
  };
  parallel_for(
      static_cast<Index>(groups), scratch.memberships, [](RunScratch&) {},
      [&](Index group, RunScratch& memberships) {
        const auto i = static_cast<std::size_t>(group);
        find_runs(sets, group_sets(i), rows.rows(), memberships, runs[i]);
      });
  const Index tiles = (rows.cols() + tile - 1) / tile;
  parallel_for(
      static_cast<Index>(groups) * tiles, scratch.sums,
      [](Buffer<Scalar>& sum) { make_room(sum, tile); },
      [&](Index task, Buffer<Scalar>& sum) {
        const auto group = static_cast<std::size_t>(task % static_cast<Index>(groups));
        const Index begin = task / static_cast<Index>(groups) * tile;
        group_means(rows, sets, group_sets(group), runs[group], begin,
                    std::min(tile, rows.cols() - begin), sum.data(), means);
      });
}

/// The same with scratch of its own.
template <class Scalar>
void row_means(const Matrix<Scalar>& rows, std::span<const std::vector<Index>> sets,
               std::span<const Index> order, Matrix<Scalar>& means) {
  RowMeansScratch<Scalar> scratch;
  row_means(rows, sets, order, means, scratch);
}

}  // namespace diffseg::detail
