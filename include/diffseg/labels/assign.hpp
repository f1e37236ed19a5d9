// SPDX-License-Identifier: MIT
// Assign: Proposals -> Labels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "diffseg/core/bits.hpp"
#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/workspace.hpp"
#include "diffseg/data/labels.hpp"
#include "diffseg/data/proposals.hpp"
#include "diffseg/labels/detail/cell_rows.hpp"

namespace diffseg {

/// Proposals -> Labels: every proposal bilinearly enlarged (half-pixel centres) to `size`, the
/// label the first of the largest; the enlarged proposals are never stored. Equal to enlarging all
/// and taking the arg max, pixel for pixel (-ffast-math may round ties apart). Errors:
/// std::invalid_argument for a size below 1 x 1, proposals that do not match their grid, hold
/// negative or non-finite numbers, none at all.
struct Assign {
  using Stage = void;  ///< it may begin or follow a chain
  /// What the numbers of Labels::values mean.
  enum class Ids {
    compact,   ///< 0 .. K - 1 for the K proposals that win somewhere, in their order
    reference  ///< indices of proposals, with gaps
  };

  GridSize size = {512, 512};  ///< pixels of the result, >= 1 x 1
  Ids ids = Ids::compact;      ///< what the labels count

  /// A label for each pixel of `size`.
  template <class Scalar>
  [[nodiscard]] Labels operator()(const Proposals<Scalar>& proposals) const {
    Labels labels;
    (*this)(proposals, labels);
    return labels;
  }

  /// The same into `labels`, reusing its storage. After an exception they are
  /// as they were, or empty if memory ran out.
  template <class Scalar>
  void operator()(const Proposals<Scalar>& proposals, Labels& labels) const {
    Workspace workspace;
    (*this)(proposals, labels, workspace);
  }

  /// The same with what an earlier call has left in `workspace`.
  template <class Scalar>
  void operator()(const Proposals<Scalar>& proposals, Labels& labels, Workspace& workspace) const;

  /// The labels and what the stage works with for so many proposals on `grid`.
  template <class Scalar = float>
  [[nodiscard]] SegmentMemory memory(GridSize grid, double proposals) const {
    return detail::assign_memory<Scalar>(grid, proposals, size);
  }

 private:
  static constexpr Index piece = 3;

  template <class Scalar>
  static void check_row(const Matrix<Scalar>& rows, Index row) {
    bool sound = true;  // no early exit, so that it runs in packets
    for (Index i = 0; i < rows.cols(); ++i) sound &= !detail::is_invalid_attention(rows(row, i));
    detail::require(sound, "Assign: proposals must be finite and >= 0, row ", row, " is not");
  }

  /// Fills Labels::proposals with those that win [K] and, for compact ids, renumbers the pixels.
  void number(const std::vector<char>& wins, Labels& labels) const {
    std::vector<std::int32_t> compact(wins.size(), 0);
    labels.proposals.clear();
    for (std::size_t id = 0; id < wins.size(); ++id) {
      if (ids == Ids::compact && wins[id] == 0) continue;
      compact[id] = static_cast<std::int32_t>(labels.count());
      labels.proposals.push_back(static_cast<std::int32_t>(id));
    }
    if (labels.proposals.size() == wins.size()) return;
    constexpr Index together = 1 << 15;
    const auto pixels = static_cast<Index>(labels.values.size());
    detail::parallel_for((pixels + together - 1) / together, [&](Index index) {
      const Index end = std::min(pixels, (index + 1) * together);
      for (Index i = index * together; i < end; ++i) {
        std::int32_t& label = labels.values[static_cast<std::size_t>(i)];
        label = compact[static_cast<std::size_t>(label)];
      }
    });
  }
};

template <class Scalar>
void Assign::operator()(const Proposals<Scalar>& proposals, Labels& labels,
                        Workspace& workspace) const {
  const GridSize grid = proposals.maps.grid();
  detail::require(size.height >= 1 && size.width >= 1, "Assign: size must be at least 1 x 1, got ",
                  size.height, " x ", size.width);
  proposals.check("Assign");
  const Index pixels = detail::checked_product(size.height, size.width, "Assign");
  detail::parallel_for(proposals.rows.rows(), [&](Index row) { check_row(proposals.rows, row); });
  Labels result = std::exchange(labels, {});
  const detail::ProfileScope scope("Assign", pixels * Index{4});
  const auto resampler = detail::cached_resampler<Scalar>(grid, size, detail::Resampling::bilinear);
  const detail::CellRows<Scalar> rows(proposals.rows, *resampler);
  result.size = size;
  result.values.resize(static_cast<std::size_t>(pixels));
  // Pieces of several rows of cells: few enough to list who wins in each.
  const Index pieces = (rows.count() + piece - 1) / piece;
  constexpr Index line = 64;  // bytes; threads must not share those they write
  const Index count = proposals.rows.rows();
  const Index stride = (count + line - 1) / line * line;
  std::vector<char> wins(static_cast<std::size_t>(pieces * stride), 0);
  using Scratch = typename detail::CellRows<Scalar>::Scratch;
  detail::parallel_for(
      pieces, workspace.get<std::vector<Scratch>>(),
      [&](Scratch& scratch) { rows.prepare(scratch); },
      [&](Index index, Scratch& scratch) {
        const Index end = std::min(rows.count(), (index + 1) * piece);
        for (Index row = index * piece; row < end; ++row) {
          rows.assign(row, result.values.data(), wins.data() + index * stride, scratch);
        }
      });
  // Who wins somewhere: all pieces in the first.
  for (Index index = 1; index < pieces; ++index) {
    for (Index id = 0; id < count; ++id) {
      wins[static_cast<std::size_t>(id)] |= wins[static_cast<std::size_t>(index * stride + id)];
    }
  }
  wins.resize(static_cast<std::size_t>(count));
  number(wins, result);
  labels = std::move(result);
}

}  // namespace diffseg
