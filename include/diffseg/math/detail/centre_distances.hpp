// SPDX-License-Identifier: MIT
// Squared distances of rows to centres, as small products held in registers: ||x||^2 - 2 x.c +
// ||c||^2 around a common origin, so that little cancels. The additions of a pair are the same
// whatever else is computed with it.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "diffseg/core/types.hpp"
#include "diffseg/math/detail/tiles.hpp"

namespace diffseg::detail {

/// K centres of n numbers, ready for distances.
template <class Scalar>
class CentreDistances {
 public:
  static constexpr Index block = 16;  ///< most rows at once
  static constexpr Index lanes = packet_size<Scalar>;

  /// What one thread needs. After evaluate(): distances [block x K] less `norms`, and norms
  /// [block],
  /// ||x - origin||^2.
  struct Scratch {
    Buffer<Scalar> rows, sums, norms;
    Matrix<Scalar> distances;
  };

  /// `origin` [n]: a point amid the data.
  explicit CentreDistances(const Eigen::VectorXd& origin)
      : width_(origin.size()), padded_((width_ + lanes - 1) / lanes * lanes) {
    origin_ = origin.cast<Scalar>();
  }

  /// Takes the centres [K x n] over; returns how far each has moved since the last call with as
  /// many, [K], as the distances see it.
  Eigen::VectorXd set(const Matrix<Scalar>& centres) {
    if (centres.rows() != norms_.size()) {
      count_ = centres.rows();
      centres_.setZero(count_ * stride());
      norms_.resize(count_);
    }
    Eigen::VectorXd moved(count_);
    for (Index k = 0; k < count_; ++k) {
      Scalar* centre = centres_.data() + k * stride();
      const Scalar* from = centres.data() + k * width_;
      double norm = 0;
      double move = 0;
      for (Index i = 0; i < width_; ++i) {
        const Scalar value = from[i] - origin_[i];
        const double step = static_cast<double>(value) - static_cast<double>(centre[i]);
        norm += static_cast<double>(value) * static_cast<double>(value);
        move += step * step;
        centre[i] = value;
      }
      norms_[k] = static_cast<Scalar>(norm);
      moved[k] = std::sqrt(move);
    }
    most_ = norms_.maxCoeff();
    return moved;
  }

  [[nodiscard]] Scratch make_scratch() const {
    Scratch scratch;
    scratch.rows.setZero(block * tile);
    scratch.sums.resize(block * (count_ + 1) * lanes);
    scratch.norms.resize(block);
    scratch.distances.resize(block, count_);
    return scratch;
  }

  /// At most `block` rows of rows [R x n].
  void evaluate(const Matrix<Scalar>& rows, std::span<const Index> ids, Scratch& scratch) const {
    const auto used = static_cast<Index>(ids.size());
    scratch.sums.setZero();
    for (Index begin = 0; begin < padded_; begin += tile) {
      const Index count = std::min(tile, padded_ - begin);
      load(rows, ids, begin, scratch);
      for (Index quad = 0; 4 * quad < used; ++quad) add_quad(quad, begin, count, scratch);
    }
    for (Index row = 0; row < used; ++row) {
      const Scalar* sum = scratch.sums.data() + (row / 4 * 4 * (count_ + 1) + row % 4) * lanes;
      for (Index k = 0; k < count_; ++k, sum += 4 * lanes) {
        scratch.distances(row, k) = norms_[k] - 2 * lane_sum(sum);
      }
      scratch.norms[row] = lane_sum(sum);
    }
  }

  /// Calls use(row, slot) after evaluate() for each of any number of rows, by blocks.
  template <class Use>
  void for_each(const Matrix<Scalar>& rows, std::span<const Index> ids, Scratch& scratch,
                const Use& use) const {
    for (std::size_t begin = 0; begin < ids.size(); begin += block) {
      const auto some = ids.subspan(begin, std::min<std::size_t>(block, ids.size() - begin));
      evaluate(rows, some, scratch);
      for (std::size_t i = 0; i < some.size(); ++i) use(some[i], static_cast<Index>(i));
    }
  }

  /// Rows that are worth a thread: waking one costs as much as some million products.
  [[nodiscard]] Index rows_per_task() const {
    constexpr Index products = 1 << 21;
    const Index blocks = products / std::max<Index>(1, count_ * padded_ * block);
    return block * std::max<Index>(1, blocks);
  }

  /// An upper bound of what rounding does to a squared distance: a worst case, not a typical one.
  [[nodiscard]] Scalar rounding(Scalar norm) const {
    const Index terms = padded_ / lanes + 2 * lanes + 8;
    return static_cast<Scalar>(terms) * std::numeric_limits<Scalar>::epsilon() * 2 * (norm + most_);
  }

 private:
  static constexpr Index tile = 32 * lanes;

  /// One packet more than needed: centres a power of two apart would share cache sets.
  [[nodiscard]] Index stride() const { return padded_ + lanes; }

  static Scalar lane_sum(const Scalar* sum) {
    return Eigen::internal::predux(Eigen::internal::pload<Packet<Scalar>>(sum));
  }

  /// Columns [begin, begin + tile) of the rows less the origin, then zeros.
  void load(const Matrix<Scalar>& rows, std::span<const Index> ids, Index begin,
            Scratch& scratch) const {
    const Index count = std::min(tile, width_ - begin);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      Scalar* out = scratch.rows.data() + static_cast<Index>(i) * tile;
      Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>(out, count) =
          rows.row(ids[i]).segment(begin, count).transpose().array() -
          origin_.segment(begin, count);
      std::fill(out + count, out + tile, Scalar(0));
    }
  }

  void add_quad(Index quad, Index begin, Index count, Scratch& scratch) const {
    const Scalar* rows = scratch.rows.data() + 4 * quad * tile;
    Scalar* sums = scratch.sums.data() + quad * 4 * (count_ + 1) * lanes;
    const Scalar* centres = centres_.data() + begin;
    Index k = 0;
    for (; k + 4 <= count_; k += 4, sums += 16 * lanes) {
      dot_tile<4>(rows, tile, centres + k * stride(), stride(), count, sums);
    }
    for (; k < count_; ++k, sums += 4 * lanes) {
      dot_tile<1>(rows, tile, centres + k * stride(), stride(), count, sums);
    }
    for (Index row = 0; row < 4; ++row) {
      add_norm(rows + row * tile, count, sums + row * lanes);
    }
  }

  static void add_norm(const Scalar* row, Index count, Scalar* sum) {
    using namespace Eigen::internal;
    auto total = pload<Packet<Scalar>>(sum);
    for (Index i = 0; i < count; i += lanes) {
      const auto x = pload<Packet<Scalar>>(row + i);
      total = pmadd(x, x, total);
    }
    pstore(sum, total);
  }

  Index width_;
  Index padded_;
  Index count_ = 0;
  Buffer<Scalar> origin_;
  Buffer<Scalar> centres_;  // [K x stride], less the origin
  Buffer<Scalar> norms_;
  Scalar most_ = 0;  // largest of norms_
};

}  // namespace diffseg::detail
