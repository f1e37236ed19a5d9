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
#include "diffseg/kernels/head_sum.hpp"
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
  static constexpr Index lanes = packet_size<Scalar>;

  /// What one thread needs; `wins` says which proposals it has seen win.
  struct Scratch {
    std::vector<std::int32_t> candidates;
    Buffer<Scalar> largest, top, bottom, best;
    std::vector<char> wins;
  };

  CellAssigner(const Matrix<Scalar>& proposals, const Resampler<Scalar>& resampler)
      : count_(proposals.rows()),
        columns_(proposals.cols(), (count_ + lanes - 1) / lanes * lanes),
        rows_(resampler.vertical()),
        cells_(resampler.horizontal()),
        left_(cells_.to()),
        right_(cells_.to()) {
    columns_.setZero();
    constexpr Index block = 64;  // transposed in pieces that stay in the cache
    for (Index cell = 0; cell < proposals.cols(); cell += block) {
      const Index size = std::min(block, proposals.cols() - cell);
      columns_.block(cell, 0, size, count_) = proposals.middleCols(cell, size).transpose();
    }
    for (Index x = 0; x < cells_.to(); ++x) {
      left_[x] = cells_.weights(x)[0];
      right_[x] = cells_.taps() > 1 ? cells_.weights(x)[1] : Scalar(0);
    }
  }

  [[nodiscard]] Scratch make_scratch() const {
    Scratch scratch;
    scratch.largest.resize(columns_.cols());
    scratch.wins.assign(static_cast<std::size_t>(count_), 0);
    return scratch;
  }

  /// Labels of the pixels [y0, y1) x [x0, x1), which all lie between the same four cells.
  void assign(Index y0, Index y1, Index x0, Index x1, std::int32_t* labels,
              Scratch& scratch) const {
    const Index down = rows_.taps() > 1 ? cells_.from() : 0;
    const Index right = cells_.taps() > 1 ? 1 : 0;
    const Index cell = rows_.first(y0) * cells_.from() + cells_.first(x0);
    const Corners corners = {column(cell), column(cell + right), column(cell + down),
                             column(cell + down + right)};
    find_candidates(corners, scratch);
    if (scratch.candidates.size() > 1) {
      compete(corners, y0, y1, x0, x1, labels, scratch);
      return;
    }
    const std::int32_t winner = scratch.candidates.front();
    scratch.wins[static_cast<std::size_t>(winner)] = 1;
    for (Index y = y0; y < y1; ++y) {
      std::fill(labels + y * cells_.to() + x0, labels + y * cells_.to() + x1, winner);
    }
  }

 private:
  using Corners = std::array<const Scalar*, 4>;

  /// All proposals at one cell, padded to packets with 0, below every probability.
  [[nodiscard]] const Scalar* column(Index cell) const {
    return columns_.data() + cell * columns_.cols();
  }

  void find_candidates(const Corners& corners, Scratch& scratch) const {
    using namespace Eigen::internal;
    using Lanes = Packet<Scalar>;
    Lanes least = pset1<Lanes>(Scalar(0));
    for (Index k = 0; k < columns_.cols(); k += lanes) {
      const auto a = pload<Lanes>(corners[0] + k), b = pload<Lanes>(corners[1] + k);
      const auto c = pload<Lanes>(corners[2] + k), d = pload<Lanes>(corners[3] + k);
      least = pmax(least, pmin(pmin(a, b), pmin(c, d)));
      pstore(scratch.largest.data() + k, pmax(pmax(a, b), pmax(c, d)));
    }
    // Interpolation rounds: what it may add keeps a proposal in the race, so that ties are met.
    const Scalar bar = predux_max(least) * (1 - 8 * std::numeric_limits<Scalar>::epsilon());
    scratch.candidates.resize(static_cast<std::size_t>(count_) + 1);
    std::size_t found = 0;
    for (Index k = 0; k < count_; ++k) {  // no branch: nobody could foretell it
      scratch.candidates[found] = static_cast<std::int32_t>(k);
      found += scratch.largest[k] >= bar ? 1 : 0;
    }
    scratch.candidates.resize(found);
  }

  /// Interpolates the candidates like Resampler::apply, rows first; the first of equals wins.
  void compete(const Corners& corners, Index y0, Index y1, Index x0, Index x1, std::int32_t* labels,
               Scratch& scratch) const {
    const Index width = x1 - x0;
    scratch.top.resize(width);
    scratch.bottom.resize(width);
    scratch.best.setConstant(width * (y1 - y0), Scalar(-1));
    for (const std::int32_t k : scratch.candidates) {
      for (Index x = 0; x < width; ++x) {
        const Scalar left = left_[x0 + x];
        const Scalar right = right_[x0 + x];
        scratch.top[x] = blend(left, corners[0][k], right, corners[1][k]);
        scratch.bottom[x] = blend(left, corners[2][k], right, corners[3][k]);
      }
      for (Index y = y0; y < y1; ++y) {
        const Scalar upper = rows_.weights(y)[0];
        const Scalar lower = rows_.taps() > 1 ? rows_.weights(y)[1] : Scalar(0);
        Scalar* best = scratch.best.data() + (y - y0) * width;
        std::int32_t* line = labels + y * cells_.to() + x0;
        for (Index x = 0; x < width; ++x) {
          const Scalar value = blend(upper, scratch.top[x], lower, scratch.bottom[x]);
          line[x] = value > best[x] ? k : line[x];
          best[x] = value > best[x] ? value : best[x];
        }
      }
    }
    for (Index y = y0; y < y1; ++y) {
      const std::int32_t* line = labels + y * cells_.to();
      for (Index x = x0; x < x1; ++x) scratch.wins[static_cast<std::size_t>(line[x])] = 1;
    }
  }

  Index count_;
  Matrix<Scalar> columns_;  // [T x K, padded]
  const AxisResampler<Scalar>& rows_;
  const AxisResampler<Scalar>& cells_;
  Buffer<Scalar> left_, right_;  // [width] horizontal weights
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
    const detail::CellAssigner<Scalar> assigner(proposals.rows, *resampler);
    const auto rows = detail::equal_sources(resampler->vertical());
    const auto cells = detail::equal_sources(resampler->horizontal());
    labels.size = size;
    labels.values.resize(static_cast<std::size_t>(pixels));
    // Pieces of several rows of cells: few enough to list who wins in each.
    constexpr Index piece = 4;
    const Index last = static_cast<Index>(rows.size()) - 1;
    std::vector<std::vector<char>> wins(static_cast<std::size_t>((last + piece - 1) / piece));
    parallel_for(static_cast<Index>(wins.size()), [&](Index index) {
      auto scratch = assigner.make_scratch();
      for (Index y = index * piece; y < std::min(last, (index + 1) * piece); ++y) {
        const auto row = static_cast<std::size_t>(y);
        for (std::size_t x = 0; x + 1 < cells.size(); ++x) {
          assigner.assign(rows[row], rows[row + 1], cells[x], cells[x + 1], labels.values.data(),
                          scratch);
        }
      }
      wins[static_cast<std::size_t>(index)].swap(scratch.wins);
    });
    number(proposals.rows.rows(), wins, labels);
  }

 private:
  template <class Scalar>
  static void check_row(const Matrix<Scalar>& rows, Index row) {
    bool sound = true;  // no early exit, so that it runs in packets
    for (Index i = 0; i < rows.cols(); ++i) sound &= !is_invalid_attention(rows(row, i));
    require(sound, "Assign: proposals must be finite and >= 0, row ", row, " is not");
  }

  /// Fills Labels::proposals and, for compact ids, renumbers the pixels.
  void number(Index count, const std::vector<std::vector<char>>& wins, Labels& labels) const {
    std::vector<std::int32_t> compact(static_cast<std::size_t>(count), 0);
    labels.proposals.clear();
    for (std::size_t id = 0; id < compact.size(); ++id) {
      const bool kept = ids == LabelIds::reference ||
                        std::any_of(wins.begin(), wins.end(),
                                    [&](const std::vector<char>& piece) { return piece[id] != 0; });
      if (!kept) continue;
      compact[id] = static_cast<std::int32_t>(labels.proposals.size());
      labels.proposals.push_back(static_cast<std::int32_t>(id));
    }
    if (labels.count() == count) return;
    for (std::int32_t& label : labels.values) label = compact[static_cast<std::size_t>(label)];
  }
};

}  // namespace diffseg
