// SPDX-License-Identifier: MIT
// Products of a tall matrix less the mean of its rows with few directions; the difference is never
// stored, and every pass reads the rows once.
#pragma once

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "diffseg/core/packet.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/core/types.hpp"
#include "diffseg/kernels/detail/tiles.hpp"

namespace diffseg {

/// X = rows [R x n] less mean [1 x n]; both must outlive this.
template <class Scalar>
class CentredRows {
 public:
  /// What gram_times() finds for directions D [l x n].
  struct Gram {
    Matrix<Scalar> scores;    ///< X D^T [R x l]
    Matrix<Scalar> products;  ///< D X^T X [l x n]
    double squares = 0;       ///< the sum of all squares of X
  };

  CentredRows(const Matrix<Scalar>& rows, const Matrix<Scalar>& mean)
      : rows_(rows),
        mean_(mean),
        blocks_((rows.rows() + block - 1) / block),
        padded_((rows.cols() + 4 * lanes - 1) / (4 * lanes) * (4 * lanes)) {}

  /// X D^T [R x l] for directions D [l x n].
  [[nodiscard]] Matrix<Scalar> times(const Matrix<Scalar>& directions) const {
    constexpr Index together = 8;  // blocks of a task
    const Buffer<Scalar> packed = pack(directions);
    Matrix<Scalar> scores(rows_.rows(), directions.rows());
    parallel_for((blocks_ + together - 1) / together,
                 [&] { return make_scratch(directions.rows()); },
                 [&](Index task, Scratch& scratch) {
                   const Index end = std::min(blocks_, (task + 1) * together);
                   for (Index index = task * together; index < end; ++index) {
                     score(index, packed, scratch, scores);
                   }
                 });
    return scores;
  }

  /// All of Gram, in a fixed number of parts, joined in order.
  [[nodiscard]] Gram gram_times(const Matrix<Scalar>& directions) const {
    const Index parts = std::min<Index>(8, blocks_);
    const Buffer<Scalar> packed = pack(directions);
    Gram gram;
    gram.scores.resize(rows_.rows(), directions.rows());
    std::vector<Buffer<Scalar>> sums(static_cast<std::size_t>(parts));
    std::vector<double> squares(sums.size(), 0.0);
    parallel_for(parts, [&](Index part) {
      Scratch scratch = make_scratch(directions.rows());
      const auto place = static_cast<std::size_t>(part);
      sums[place].setZero(packed.size());
      for (Index i = part * blocks_ / parts; i < (part + 1) * blocks_ / parts; ++i) {
        const Index count = score(i, packed, scratch, gram.scores);
        add_outer(count, scratch, sums[place]);
        for (Index row = 0; row < count; ++row) {
          squares[place] += static_cast<double>(
              scratch.rows.segment(row * stride(), padded_).matrix().squaredNorm());
        }
      }
    });
    gram.squares = std::accumulate(squares.begin(), squares.end(), 0.0);
    for (std::size_t part = 1; part < sums.size(); ++part) sums[0] += sums[part];
    gram.products.resize(directions.rows(), rows_.cols());
    for (Index k = 0; k < directions.rows(); ++k) {
      gram.products.row(k) = sums[0].segment(k * stride(), rows_.cols()).matrix().transpose();
    }
    return gram;
  }

  /// X [R x n] in double.
  [[nodiscard]] Matrix<double> dense() const {
    return (rows_.rowwise() - mean_.row(0)).template cast<double>();
  }

 private:
  static constexpr Index block = 16;
  static constexpr Index lanes = packet_size<Scalar>;

  struct Scratch {
    Buffer<Scalar> rows;     // [block x stride]
    Buffer<Scalar> sums;     // [block / 4 x directions x 4 x lanes]
    Buffer<Scalar> weights;  // [block x directions]
    Index directions;        // a multiple of 4
  };

  [[nodiscard]] static Index rounded_up(Index directions) { return (directions + 3) / 4 * 4; }

  /// One packet more than needed: rows a power of two apart would share cache sets.
  [[nodiscard]] Index stride() const { return padded_ + lanes; }

  [[nodiscard]] Scratch make_scratch(Index directions) const {
    const Index count = rounded_up(directions);
    Scratch scratch{{}, {}, {}, count};
    scratch.rows.setZero(block * stride());
    scratch.sums.resize(block * count * lanes);
    scratch.weights.setZero(block * count);
    return scratch;
  }

  [[nodiscard]] Buffer<Scalar> pack(const Matrix<Scalar>& directions) const {
    Buffer<Scalar> packed = Buffer<Scalar>::Zero(rounded_up(directions.rows()) * stride());
    for (Index k = 0; k < directions.rows(); ++k) {
      packed.segment(k * stride(), directions.cols()) = directions.row(k).transpose().array();
    }
    return packed;
  }

  /// Loads a block and fills its rows of `scores`; returns the number of rows. Columns go by tiles
  /// that stay in the first cache level.
  Index score(Index index, const Buffer<Scalar>& packed, Scratch& scratch,
              Matrix<Scalar>& scores) const {
    constexpr Index tile = 32 * lanes;
    const Index first = index * block;
    const Index count = std::min(block, rows_.rows() - first);
    scratch.sums.setZero();
    for (Index begin = 0; begin < padded_; begin += tile) {
      load(first, count, begin, std::min(tile, rows_.cols() - begin), scratch);
      const Index width = std::min(tile, padded_ - begin);
      for (Index quad = 0; 4 * quad < count; ++quad) {
        Scalar* sums = scratch.sums.data() + quad * scratch.directions * 4 * lanes;
        for (Index k = 0; k < scratch.directions; k += 4, sums += 16 * lanes) {
          detail::dot_tile<4>(scratch.rows.data() + 4 * quad * stride() + begin, stride(),
                              packed.data() + k * stride() + begin, stride(), width, sums);
        }
      }
    }
    for (Index row = 0; row < count; ++row) {
      const Scalar* sum =
          scratch.sums.data() + (row / 4 * scratch.directions * 4 + row % 4) * lanes;
      for (Index k = 0; k < scores.cols(); ++k, sum += 4 * lanes) {
        const Scalar value = Eigen::internal::predux(Eigen::internal::pload<Packet<Scalar>>(sum));
        scratch.weights[row * scratch.directions + k] = value;
        scores(first + row, k) = value;
      }
    }
    return count;
  }

  void load(Index first, Index count, Index begin, Index width, Scratch& scratch) const {
    if (width <= 0) return;
    for (Index row = 0; row < count; ++row) {
      scratch.rows.segment(row * stride() + begin, width) =
          (rows_.row(first + row) - mean_.row(0)).segment(begin, width).transpose().array();
    }
  }

  /// sums [directions x stride] += scores^T X of the block at hand.
  void add_outer(Index count, const Scratch& scratch, Buffer<Scalar>& sums) const {
    for (Index begin = 0; begin < padded_; begin += 4 * lanes) {
      for (Index k = 0; k < scratch.directions; k += 4) {
        detail::outer_tile(scratch.rows.data() + begin, stride(), count, scratch.weights.data() + k,
                           scratch.directions, sums.data() + k * stride() + begin, stride());
      }
    }
  }

  const Matrix<Scalar>& rows_;
  const Matrix<Scalar>& mean_;
  Index blocks_;
  Index padded_;
};

}  // namespace diffseg
