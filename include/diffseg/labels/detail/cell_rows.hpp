// SPDX-License-Identifier: MIT
// The arg max of enlarged proposals, between two rows of cells at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "diffseg/core/parallel.hpp"
#include "diffseg/data/memory.hpp"
#include "diffseg/math/resample.hpp"

namespace diffseg::detail {

/// Targets with the same first source, as [begin, end) pairs: the borders between them.
template <class Scalar>
std::vector<Index> equal_sources(const AxisResampler<Scalar>& axis) {
  std::vector<Index> borders = {0};
  for (Index i = 1; i < axis.to(); ++i) {
    if (axis.first(i) != axis.first(i - 1)) borders.push_back(i);
  }
  borders.push_back(axis.to());
  return borders;
}

/// What Assign needs beside the proposals: labels, the scratch of CellRows, and who wins where.
template <class Scalar>
[[nodiscard]] SegmentMemory assign_memory(GridSize grid, double proposals, GridSize size) {
  const double pixels = static_cast<double>(size.height) * static_cast<double>(size.width);
  const double width = static_cast<double>(grid.width) + 16;
  const auto threads = static_cast<double>(thread_count());
  return {.labels = 4 * pixels,
          .scratch = threads * (proposals + 3) * width * sizeof(Scalar) +
                     (static_cast<double>(grid.height) / 3 + 1) * (proposals + 64)};
}

/// Finds the winning proposal of all pixels between four neighbouring cells at once. There all
/// proposals are bilinear, so their extremes are at the corners: one whose largest corner is below
/// another's smallest corner wins nowhere. Few are left, mostly one.
template <class Scalar>
class CellRows {
 public:
  /// What one thread needs.
  struct Scratch {
    Buffer<Scalar> largest;                // [K x columns] of the corners
    Buffer<Scalar> least, number, winner;  // [columns] the bar, candidates and the last of them
    std::vector<Index> candidates;
    Buffer<Scalar> top, bottom;  // [candidates x chunk]
  };

  /// proposals [K x cells], both must outlive this.
  CellRows(const Matrix<Scalar>& proposals, const Resampler<Scalar>& resampler)
      : proposals_(proposals),
        vertical_(resampler.vertical()),
        horizontal_(resampler.horizontal()),
        down_(vertical_.taps() > 1 ? horizontal_.from() : 0),
        right_(horizontal_.taps() > 1 ? 1 : 0),
        columns_(horizontal_.from() - right_),
        padded_((columns_ + lanes - 1) / lanes * lanes),
        rows_(equal_sources(vertical_)),
        cells_(equal_sources(horizontal_)),
        left_weights_(static_cast<std::size_t>(horizontal_.to() + chunk), Scalar(0)),
        right_weights_(left_weights_) {
    for (Index x = 0; x < horizontal_.to(); ++x) {
      const auto place = static_cast<std::size_t>(x);
      left_weights_[place] = horizontal_.weights(x)[0];
      right_weights_[place] = right_ > 0 ? horizontal_.weights(x)[1] : Scalar(0);
    }
  }

  /// Rows of pixels that lie between the same two rows of cells come together.
  [[nodiscard]] Index count() const { return static_cast<Index>(rows_.size()) - 1; }

  /// Makes a scratch of other proposals fit.
  void prepare(Scratch& scratch) const {
    make_room(scratch.largest, proposals_.rows() * padded_);
    std::fill_n(scratch.largest.data(), proposals_.rows() * padded_, Scalar(0));
    for (auto* line : {&scratch.least, &scratch.number, &scratch.winner}) make_room(*line, padded_);
    scratch.candidates.reserve(static_cast<std::size_t>(proposals_.rows()) + 1);
    make_room(scratch.top, proposals_.rows() * chunk);
    make_room(scratch.bottom, proposals_.rows() * chunk);
  }

  /// Fills labels [pixels] of the rows at `index`; sets wins [K] where a proposal has won.
  void assign(Index index, std::int32_t* labels, char* wins, Scratch& scratch) const {
    const auto place = static_cast<std::size_t>(index);
    const Rows rows{rows_[place], rows_[place + 1],
                    vertical_.first(rows_[place]) * horizontal_.from()};
    find_candidates(rows, scratch);
    for (std::size_t i = 0; i + 1 < cells_.size(); ++i) {
      const Index column = horizontal_.first(cells_[i]);
      if (scratch.number[column] > 1) {
        compete(rows, cells_[i], cells_[i + 1], labels, wins, scratch);
        continue;
      }
      // Neighbours with the same winner are filled together.
      const Index begin = cells_[i];
      const Scalar winner = scratch.winner[column];
      const auto follows = [&](std::size_t next) {
        const Index at = next + 1 < cells_.size() ? horizontal_.first(cells_[next]) : -1;
        return at >= 0 && scratch.number[at] == 1 && scratch.winner[at] == winner;
      };
      while (follows(i + 1)) ++i;
      wins[static_cast<Index>(winner)] = 1;
      for (Index y = rows.begin; y < rows.end; ++y) {
        std::int32_t* line = labels + y * horizontal_.to();
        std::fill(line + begin, line + cells_[i + 1], static_cast<std::int32_t>(winner));
      }
    }
  }

 private:
  static constexpr Index lanes = packet_size<Scalar>;
  static constexpr Index chunk = 8;  // pixels at a time: what a cell has at eightfold enlargement
  using Some = typename Eigen::internal::find_best_packet<Scalar, chunk>::type;
  static constexpr Index some = Eigen::internal::unpacket_traits<Some>::size;

  struct Rows {
    Index begin, end;  // pixels
    Index cell;        // the first of the upper row of cells
  };

  /// Fills number, winner and largest of every column of four corners.
  void find_candidates(const Rows& rows, Scratch& scratch) const {
    using namespace Eigen::internal;
    using Lanes = Packet<Scalar>;
    Scalar* const least = scratch.least.data();
    std::fill_n(least, padded_, Scalar(0));
    for (Index k = 0; k < proposals_.rows(); ++k) {
      const Scalar* const above = proposals_.data() + k * proposals_.cols() + rows.cell;
      const Scalar* const below = above + down_;
      Scalar* const largest = scratch.largest.data() + k * padded_;
      for_packets<Scalar>(columns_, [&](Index x, auto step) {
        using P = StepOf<decltype(step), Scalar>;
        const P a = ploadu<P>(above + x), b = ploadu<P>(above + right_ + x);
        const P c = ploadu<P>(below + x), d = ploadu<P>(below + right_ + x);
        pstoreu(least + x, pmax(ploadu<P>(least + x), pmin(pmin(a, b), pmin(c, d))));
        pstoreu(largest + x, pmax(pmax(a, b), pmax(c, d)));
      });
    }
    // Interpolation rounds: what it may add keeps a proposal in the race, so that ties are met.
    constexpr Scalar slack = 1 - 8 * std::numeric_limits<Scalar>::epsilon();
    for (Index x = 0; x < padded_; ++x) least[x] *= slack;
    for (Index x = 0; x < padded_; x += lanes) {
      const auto bar = pload<Lanes>(scratch.least.data() + x);
      auto number = pset1<Lanes>(Scalar(0)), winner = number;
      for (Index k = 0; k < proposals_.rows(); ++k) {
        const auto in = pcmp_le(bar, pload<Lanes>(scratch.largest.data() + k * padded_ + x));
        number = padd(number, pand(in, pset1<Lanes>(Scalar(1))));
        winner = pmax(winner, pand(in, pset1<Lanes>(static_cast<Scalar>(k))));
      }
      pstore(scratch.number.data() + x, number);
      pstore(scratch.winner.data() + x, winner);
    }
  }

  /// Interpolates the candidates between x0 and x1 like Resampler::apply, rows first; the first of
  /// equals wins.
  void compete(const Rows& rows, Index x0, Index x1, std::int32_t* labels, char* wins,
               Scratch& scratch) const {
    const Index column = horizontal_.first(x0);
    const auto most = static_cast<std::size_t>(scratch.number[column]);
    scratch.candidates.resize(most + 1);
    std::size_t found = 0;
    bool known = true;  // all candidates have won before
    for (Index k = 0; found < most; ++k) {
      scratch.candidates[found] = k;
      const bool in = scratch.largest[k * padded_ + column] >= scratch.least[column];
      known &= !in || wins[k] != 0;
      found += in ? 1 : 0;
    }
    scratch.candidates.resize(most);
    std::array<std::int32_t, chunk> line;
    for (Index x = x0; x < x1; x += chunk) {
      stretch(rows.cell + column, x, scratch);
      for (Index y = rows.begin; y < rows.end; ++y) {
        race(y, scratch, line);
        const Index width = std::min(chunk, x1 - x);
        std::int32_t* target = labels + y * horizontal_.to() + x;
        if (width == chunk) {
          std::copy_n(line.data(), chunk, target);  // a fixed number is one store
        } else {
          for (Index i = 0; i < width; ++i) target[i] = line[static_cast<std::size_t>(i)];
        }
        if (known) continue;
        for (Index i = 0; i < width; ++i) wins[line[static_cast<std::size_t>(i)]] = 1;
      }
    }
  }

  /// The candidates along the upper and the lower row of cells, at the pixels from x on.
  void stretch(Index cell, Index x, Scratch& scratch) const {
    using namespace Eigen::internal;
    for (Index i = 0; i < chunk; i += some) {
      const auto left = ploadu<Some>(left_weights_.data() + x + i);
      const auto right = ploadu<Some>(right_weights_.data() + x + i);
      Index at = i;
      for (const Index k : scratch.candidates) {
        const Scalar* corner = proposals_.data() + k * proposals_.cols() + cell;
        pstoreu(scratch.top.data() + at,
                pmadd(right, pset1<Some>(corner[right_]), pmul(left, pset1<Some>(corner[0]))));
        corner += down_;
        pstoreu(scratch.bottom.data() + at,
                pmadd(right, pset1<Some>(corner[right_]), pmul(left, pset1<Some>(corner[0]))));
        at += chunk;
      }
    }
  }

  /// The winners of one line of pixels.
  void race(Index y, const Scratch& scratch, std::array<std::int32_t, chunk>& winners) const {
    using namespace Eigen::internal;
    const auto upper = pset1<Some>(vertical_.weights(y)[0]);
    const auto lower = pset1<Some>(down_ > 0 ? vertical_.weights(y)[1] : Scalar(0));
    std::array<Scalar, chunk> ids;
    for (Index i = 0; i < chunk; i += some) {
      auto best = pset1<Some>(Scalar(-1)), winner = best;
      Index at = i;
      for (const Index k : scratch.candidates) {
        const auto value = pmadd(lower, ploadu<Some>(scratch.bottom.data() + at),
                                 pmul(upper, ploadu<Some>(scratch.top.data() + at)));
        const auto better = pcmp_lt(best, value);
        winner = pselect(better, pset1<Some>(static_cast<Scalar>(k)), winner);
        best = pmax(best, value);
        at += chunk;
      }
      pstoreu(ids.data() + i, winner);
    }
    for (std::size_t i = 0; i < chunk; ++i) winners[i] = static_cast<std::int32_t>(ids[i]);
  }

  const Matrix<Scalar>& proposals_;
  const AxisResampler<Scalar>& vertical_;
  const AxisResampler<Scalar>& horizontal_;
  Index down_, right_;  // from a cell to its neighbours; 0 without
  Index columns_;       // of four corners
  Index padded_;        // to packets
  std::vector<Index> rows_, cells_;
  std::vector<Scalar> left_weights_, right_weights_;  // [width, padded]
};

}  // namespace diffseg::detail
