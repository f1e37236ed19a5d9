// SPDX-License-Identifier: MIT
// Assign: Proposals -> Labels.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/packet.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/types.hpp"
#include "diffseg/math/resample.hpp"

namespace diffseg {

/// What the numbers of Labels::values mean.
enum class LabelIds {
  compact,   ///< 0 .. K - 1 for the K proposals that win somewhere, in their order
  reference  ///< indices of proposals, with gaps
};

namespace detail {

/// Finds the winning proposal of every pixel between four neighbouring cells at once. There all
/// proposals are bilinear, so their extremes are at the corners: one whose largest corner is below
/// another's smallest corner wins nowhere. Few are left, mostly one.
template <class Scalar>
class CellAssigner {
 public:
  /// columns: proposals by cell, [T x K].
  CellAssigner(const Matrix<Scalar>& columns, const Resampler<Scalar>& resampler)
      : columns_(columns), resampler_(resampler) {}

  /// Labels of the pixels [y0, y1) x [x0, x1), which all lie between the same four cells.
  void assign(Index y0, Index y1, Index x0, Index x1, std::int32_t* labels,
              std::vector<std::int32_t>& candidates) const {
    const auto& rows = resampler_.vertical();
    const auto& columns = resampler_.horizontal();
    const Index width = columns.to();
    const Index down = rows.taps() > 1 ? columns.from() : 0;
    const Index right = columns.taps() > 1 ? 1 : 0;
    const Index cell = rows.first(y0) * columns.from() + columns.first(x0);
    const std::array<const Scalar*, 4> corners = {column(cell), column(cell + right),
                                                  column(cell + down), column(cell + down + right)};
    find_candidates(corners, candidates);
    for (Index y = y0; y < y1; ++y) {
      std::int32_t* line = labels + y * width;
      if (candidates.size() == 1) {
        std::fill(line + x0, line + x1, candidates.front());
        continue;
      }
      for (Index x = x0; x < x1; ++x) {
        line[x] = winner(corners, pair(rows, y), pair(columns, x), candidates);
      }
    }
  }

 private:
  [[nodiscard]] const Scalar* column(Index cell) const {
    return columns_.data() + cell * columns_.cols();
  }
  /// Both weights of a pixel; a grid of one cell has one.
  static std::array<Scalar, 2> pair(const AxisResampler<Scalar>& axis, Index i) {
    return {axis.weights(i)[0], axis.taps() > 1 ? axis.weights(i)[1] : Scalar(0)};
  }

  void find_candidates(const std::array<const Scalar*, 4>& corners,
                       std::vector<std::int32_t>& candidates) const {
    Scalar best = 0;
    for (Index k = 0; k < columns_.cols(); ++k) {
      best = std::max(best, std::min({corners[0][k], corners[1][k], corners[2][k], corners[3][k]}));
    }
    // Interpolation rounds: what it may add keeps a proposal in the race, so that ties are met.
    best *= 1 - 8 * std::numeric_limits<Scalar>::epsilon();
    candidates.clear();
    for (Index k = 0; k < columns_.cols(); ++k) {
      const Scalar most = std::max({corners[0][k], corners[1][k], corners[2][k], corners[3][k]});
      if (most >= best) candidates.push_back(static_cast<std::int32_t>(k));
    }
  }

  /// Interpolates like Resampler::apply, rows first; the first of equals wins.
  static std::int32_t winner(const std::array<const Scalar*, 4>& corners,
                             const std::array<Scalar, 2>& down, const std::array<Scalar, 2>& right,
                             const std::vector<std::int32_t>& candidates) {
    std::int32_t label = candidates.front();
    Scalar best = -1;
    for (const std::int32_t k : candidates) {
      const Scalar top = blend(right[0], corners[0][k], right[1], corners[1][k]);
      const Scalar bottom = blend(right[0], corners[2][k], right[1], corners[3][k]);
      const Scalar value = blend(down[0], top, down[1], bottom);
      if (value > best) {
        best = value;
        label = k;
      }
    }
    return label;
  }

  const Matrix<Scalar>& columns_;
  const Resampler<Scalar>& resampler_;
};

/// Runs of targets with the same first source: [begin, end) pairs as a list of borders.
template <class Scalar>
std::vector<Index> equal_sources(const AxisResampler<Scalar>& axis) {
  std::vector<Index> borders = {0};
  for (Index i = 1; i < axis.to(); ++i) {
    if (axis.first(i) != axis.first(i - 1)) borders.push_back(i);
  }
  borders.push_back(axis.to());
  return borders;
}

}  // namespace detail

/// Proposals -> Labels: every proposal bilinearly enlarged (half-pixel centres) to `size`, the
/// label the first of the largest; the enlarged proposals are never stored. Equal to enlarging all
/// and taking the arg max, pixel for pixel (-ffast-math may round ties apart). Errors:
/// std::invalid_argument for a size below 1 x 1, proposals that do not match their grid, hold
/// negative or non-finite numbers, none at all.
struct Assign {
  GridSize size = {512, 512};        ///< pixels of the result, >= 1 x 1
  LabelIds ids = LabelIds::compact;  ///< what the labels count

  template <class Scalar>
  [[nodiscard]] Labels operator()(const Proposals<Scalar>& proposals) const {
    Labels labels;
    (*this)(proposals, labels);
    return labels;
  }

  /// The same into `labels`, reusing its storage.
  template <class Scalar>
  void operator()(const Proposals<Scalar>& proposals, Labels& labels) const {
    const GridSize grid = proposals.maps.grid();
    require(size.height >= 1 && size.width >= 1, "Assign: size must be at least 1 x 1, got ",
            size.height, " x ", size.width);
    require(proposals.rows.rows() >= 1, "Assign: there must be at least one proposal, got 0");
    require(proposals.rows.cols() == grid.cells(), "Assign: proposals must have ", grid.cells(),
            " cells, those of their grid, got ", proposals.rows.cols());
    const Index pixels = checked_product(size.height, size.width, "Assign");
    for (Index row = 0; row < proposals.rows.rows(); ++row) check_row(proposals.rows, row);
    const ProfileScope scope("Assign", pixels * Index{4});
    const auto resampler = cached_resampler<Scalar>(grid, size, Resampling::bilinear);
    const Matrix<Scalar> columns = proposals.rows.transpose();
    const detail::CellAssigner<Scalar> assigner(columns, *resampler);
    const auto rows = detail::equal_sources(resampler->vertical());
    const auto cells = detail::equal_sources(resampler->horizontal());
    labels.size = size;
    labels.values.resize(static_cast<std::size_t>(pixels));
    parallel_for(
        static_cast<Index>(rows.size()) - 1, [] { return std::vector<std::int32_t>(); },
        [&](Index y, std::vector<std::int32_t>& candidates) {
          const auto row = static_cast<std::size_t>(y);
          for (std::size_t x = 0; x + 1 < cells.size(); ++x) {
            assigner.assign(rows[row], rows[row + 1], cells[x], cells[x + 1], labels.values.data(),
                            candidates);
          }
        });
    number(proposals.rows.rows(), labels);
  }

 private:
  template <class Scalar>
  static void check_row(const Matrix<Scalar>& rows, Index row) {
    const Scalar* values = rows.data() + row * rows.cols();
    require(std::all_of(values, values + rows.cols(),
                        [](Scalar value) { return is_finite(value) && value >= Scalar(0); }),
            "Assign: proposals must be finite and >= 0, row ", row, " is not");
  }

  /// Fills Labels::proposals and, for compact ids, renumbers the pixels.
  void number(Index count, Labels& labels) const {
    std::vector<std::int32_t> compact(static_cast<std::size_t>(count), 0);
    if (ids == LabelIds::compact) {
      for (const std::int32_t label : labels.values) compact[static_cast<std::size_t>(label)] = 1;
    } else {
      std::fill(compact.begin(), compact.end(), 1);
    }
    labels.proposals.clear();
    for (std::size_t id = 0; id < compact.size(); ++id) {
      if (compact[id] == 0) continue;
      compact[id] = static_cast<std::int32_t>(labels.proposals.size());
      labels.proposals.push_back(static_cast<std::int32_t>(id));
    }
    if (ids == LabelIds::reference || labels.count() == count) return;
    for (std::int32_t& label : labels.values) label = compact[static_cast<std::size_t>(label)];
  }
};

}  // namespace diffseg
