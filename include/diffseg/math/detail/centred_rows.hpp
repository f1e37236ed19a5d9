// SPDX-License-Identifier: MIT
// Products of a tall matrix less the mean of its rows with few directions; the difference is never
// stored, and every pass reads the rows once.
#pragma once

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "diffseg/core/parallel.hpp"
#include "diffseg/math/detail/tiles.hpp"

namespace diffseg::detail {

/// X [R x n] = the rows, or those of them in `sample` unless that is empty, less mean [1 x n]; all
/// must outlive this.
template <class Scalar>
class CentredRows {
 public:
  /// What gram_times() finds for directions D [l x n].
  struct Gram {
    Matrix<Scalar> scores;    ///< X D^T [R x l]
    Matrix<Scalar> products;  ///< D X^T X [l x n]
    double squares = 0;       ///< the sum of all squares of X
  };

  CentredRows(const Matrix<Scalar>& rows, const Matrix<Scalar>& mean,
              std::span<const Index> sample = {})
      : rows_(rows),
        mean_(mean),
        sample_(sample),
        count_(sample.empty() ? rows.rows() : static_cast<Index>(sample.size())),
        padded_((rows.cols() + 4 * lanes - 1) / (4 * lanes) * (4 * lanes)) {}

  /// X D^T [R x l] for directions D [l x n].
  [[nodiscard]] Matrix<Scalar> times(const Matrix<Scalar>& directions) const {
    constexpr Index block = 64;  // rows that share what is read of the directions
    const Buffer<Scalar> packed = pack(directions);
    Matrix<Scalar> scores(count_, directions.rows());
    parallel_for((count_ + block - 1) / block,
                 [&] { return Scratch(block, directions.rows(), tile + lanes); },
                 [&](Index index, Scratch& scratch) {
                   score(index * block, std::min(block, count_ - index * block), packed, scratch,
                         scores);
                 });
    return scores;
  }

  /// All of Gram, in a fixed number of parts, joined in order.
  [[nodiscard]] Gram gram_times(const Matrix<Scalar>& directions) const {
    constexpr Index block = 24;  // as many whole rows as the second cache level holds
    const Index blocks = (count_ + block - 1) / block;
    const Index parts = std::min<Index>(8, blocks);
    const Buffer<Scalar> packed = pack(directions);
    Gram gram{Matrix<Scalar>(count_, directions.rows()), {}, 0};
    std::vector<Buffer<Scalar>> sums(static_cast<std::size_t>(parts));
    std::vector<double> squares(sums.size(), 0.0);
    parallel_for(parts, [&](Index part) {
      Scratch scratch(block, directions.rows(), stride());
      const auto place = static_cast<std::size_t>(part);
      sums[place].setZero(packed.size());
      for (Index i = part * blocks / parts; i < (part + 1) * blocks / parts; ++i) {
        const Index count = std::min(block, count_ - i * block);
        squares[place] += score(i * block, count, packed, scratch, gram.scores);
        add_outer(count, scratch, sums[place]);
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
    Matrix<double> result(count_, rows_.cols());
    for (Index i = 0; i < count_; ++i) {
      result.row(i) = (rows_.row(source(i)) - mean_.row(0)).template cast<double>();
    }
    return result;
  }

 private:
  static constexpr Index lanes = packet_size<Scalar>;
  static constexpr Index tile = 32 * lanes;  // columns that stay in the first cache level

  [[nodiscard]] static Index rounded_up(Index directions) { return (directions + 3) / 4 * 4; }

  /// What one thread needs for a block.
  struct Scratch {
    Scratch(Index block, Index count, Index row_stride)
        : directions(rounded_up(count)), stride(row_stride) {
      rows.setZero(block * stride);
      sums.resize(block * directions * lanes);
      weights.setZero(block * directions);
    }
    Index directions;        // a multiple of 4
    Index stride;            // of rows: for whole ones, or for those of one tile
    Buffer<Scalar> rows;     // [block x stride]
    Buffer<Scalar> sums;     // [block / 4 x directions x 4 x lanes]
    Buffer<Scalar> weights;  // [block x directions]
  };

  [[nodiscard]] Index source(Index row) const {
    return sample_.empty() ? row : sample_[static_cast<std::size_t>(row)];
  }

  /// One packet more than needed: rows a power of two apart would share cache sets.
  [[nodiscard]] Index stride() const { return padded_ + lanes; }

  [[nodiscard]] Buffer<Scalar> pack(const Matrix<Scalar>& directions) const {
    Buffer<Scalar> packed = Buffer<Scalar>::Zero(rounded_up(directions.rows()) * stride());
    for (Index k = 0; k < directions.rows(); ++k) {
      packed.segment(k * stride(), directions.cols()) = directions.row(k).transpose().array();
    }
    return packed;
  }

  /// Loads `count` rows and fills their scores, by tiles of columns; returns the sum of squares.
  double score(Index first, Index count, const Buffer<Scalar>& packed, Scratch& scratch,
               Matrix<Scalar>& scores) const {
    const bool whole = scratch.stride >= padded_;
    double squares = 0;
    scratch.sums.setZero();
    for (Index begin = 0; begin < padded_; begin += tile) {
      Scalar* rows = scratch.rows.data() + (whole ? begin : 0);
      const Index width = std::min(tile, padded_ - begin);
      squares += load(first, count, begin, width, rows, scratch.stride);
      for (Index quad = 0; 4 * quad < count; ++quad) {
        Scalar* sums = scratch.sums.data() + quad * scratch.directions * 4 * lanes;
        for (Index k = 0; k < scratch.directions; k += 4, sums += 16 * lanes) {
          dot_tile<4>(rows + 4 * quad * scratch.stride, scratch.stride,
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
    return squares;
  }

  /// out [count x stride] = `width` columns of X from `begin` on, zeros beyond the last; returns
  /// the sum of their squares.
  double load(Index first, Index count, Index begin, Index width, Scalar* out, Index stride) const {
    const Index used = std::max<Index>(0, std::min(width, rows_.cols() - begin));
    double squares = 0;
    for (Index row = 0; row < count; ++row, out += stride) {
      Eigen::Map<Eigen::Matrix<Scalar, 1, Eigen::Dynamic>> line(out, used);
      line =
          rows_.row(source(first + row)).segment(begin, used) - mean_.row(0).segment(begin, used);
      squares += static_cast<double>(line.squaredNorm());
      std::fill(out + used, out + width, Scalar(0));
    }
    return squares;
  }

  /// sums [directions x stride] += scores^T X of the whole rows at hand.
  void add_outer(Index count, const Scratch& scratch, Buffer<Scalar>& sums) const {
    for (Index begin = 0; begin < padded_; begin += 4 * lanes) {
      for (Index k = 0; k < scratch.directions; k += 4) {
        outer_tile(scratch.rows.data() + begin, scratch.stride, count, scratch.weights.data() + k,
                   scratch.directions, sums.data() + k * stride() + begin, stride());
      }
    }
  }

  const Matrix<Scalar>& rows_;
  const Matrix<Scalar>& mean_;
  std::span<const Index> sample_;
  Index count_;
  Index padded_;
};

}  // namespace diffseg::detail
