// SPDX-License-Identifier: MIT
// What the stages are measured against: the same results written plainly with Eigen, and the least
// that any program must do, reading its input. All of them use all threads.
#pragma once

#include <cmath>
#include <cstdint>
#include <diffseg/core/parallel.hpp>
#include <string>
#include <vector>

#include "inputs.hpp"

namespace bench {

/// Divergences of all pairs as matrix products: 2 D = H(p) + H(q) - p.ln q - q.ln p.
class FullProducts {
 public:
  FullProducts(const Maps<float>& maps, const std::vector<Index>& anchors)
      : maps_(maps), anchors_(anchors) {
    take_logs();
  }

  /// The logarithms of all maps and the rows of the anchors.
  void take_logs() {
    const Matrix<float>& rows = maps_.rows();
    logs_.resize(rows.rows(), rows.cols());
    diffseg::detail::parallel_for(
        rows.rows(), [&](Index row) { logs_.row(row).array() = rows.row(row).array().log(); });
    const auto count = static_cast<Index>(anchors_.size());
    p_.resize(count, rows.cols());
    log_p_.resize(count, rows.cols());
    for (Index i = 0; i < count; ++i) {
      p_.row(i) = rows.row(anchors_[static_cast<std::size_t>(i)]);
      log_p_.row(i) = logs_.row(anchors_[static_cast<std::size_t>(i)]);
    }
  }

  /// The two products [anchors x maps], split over the threads by Eigen.
  void multiply() {
    cross_.noalias() = p_ * logs_.transpose();
    cross_.noalias() += log_p_ * maps_.rows().transpose();
  }

  /// [anchors x maps] divergences after multiply(); entropies in double, as nothing times this.
  [[nodiscard]] Matrix<float> divergences() const {
    const auto entropy = [](const auto& p, const auto& log_p) {
      return p.template cast<double>().cwiseProduct(log_p.template cast<double>()).sum();
    };
    Eigen::VectorXd of_maps(logs_.rows());
    for (Index i = 0; i < logs_.rows(); ++i) {
      of_maps[i] = entropy(maps_.rows().row(i), logs_.row(i));
    }
    Matrix<float> result(cross_.rows(), cross_.cols());
    for (Index i = 0; i < cross_.rows(); ++i) {
      const double own = of_maps[anchors_[static_cast<std::size_t>(i)]];
      result.row(i) =
          ((of_maps.transpose().array() + own - cross_.row(i).array().template cast<double>()) / 2)
              .template cast<float>();
    }
    return result;
  }

 private:
  Maps<float> maps_;
  std::vector<Index> anchors_;
  Matrix<float> logs_, p_, log_p_, cross_;
};

/// All proposals enlarged bilinearly, then the arg max of every pixel.
class EnlargeAll {
 public:
  EnlargeAll(const Proposals<float>& proposals, GridSize size)
      : proposals_(proposals),
        size_(size),
        down_(weights(proposals.maps.grid().height, size.height)),
        right_(weights(proposals.maps.grid().width, size.width)) {}

  /// [pixels] indices of proposals, the first of equals.
  const std::vector<std::int32_t>& run() {
    enlarged_.resize(proposals_.rows.rows(), size_.cells());
    labels_.resize(static_cast<std::size_t>(size_.cells()));
    diffseg::detail::parallel_for(
        enlarged_.rows(), [] { return Matrix<float>(); },
        [&](Index k, Matrix<float>& narrow) { enlarge(k, narrow); });
    diffseg::detail::parallel_for(size_.height, [&](Index y) { find_largest(y); });
    return labels_;
  }

 private:
  /// [to x from] bilinear, half-pixel centres.
  static Matrix<float> weights(Index from, Index to) {
    Matrix<float> result = Matrix<float>::Zero(to, from);
    for (Index i = 0; i < to; ++i) {
      const double centre =
          (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) -
          0.5;
      const double source = std::min(std::max(centre, 0.0), static_cast<double>(from - 1));
      const auto low = static_cast<Index>(source);
      const auto fraction = static_cast<float>(source - static_cast<double>(low));
      result(i, low) += 1 - fraction;
      if (fraction > 0) result(i, low + 1) += fraction;
    }
    return result;
  }

  void enlarge(Index k, Matrix<float>& narrow) {
    const GridSize grid = proposals_.maps.grid();
    const Eigen::Map<const Matrix<float>> map(proposals_.rows.row(k).data(), grid.height,
                                              grid.width);
    Eigen::Map<Matrix<float>> out(enlarged_.row(k).data(), size_.height, size_.width);
    narrow.noalias() = map * right_.transpose();
    out.noalias() = down_ * narrow;
  }

  /// The labels of one line of pixels.
  void find_largest(Index y) {
    using Line = Eigen::Array<float, 1, Eigen::Dynamic>;
    Eigen::Map<Eigen::Array<std::int32_t, 1, Eigen::Dynamic>> label(
        labels_.data() + y * size_.width, size_.width);
    label.setZero();
    Line best = enlarged_.row(0).segment(y * size_.width, size_.width);
    for (Index k = 1; k < enlarged_.rows(); ++k) {
      const Eigen::Map<const Line> value(enlarged_.row(k).data() + y * size_.width, size_.width);
      label = (value > best).select(static_cast<std::int32_t>(k), label);
      best = best.max(value);
    }
  }

  Proposals<float> proposals_;
  GridSize size_;
  Matrix<float> down_, right_, enlarged_;
  std::vector<std::int32_t> labels_;
};

/// Reads every byte of the layers once, with all threads; the sum of their 32-bit words keeps the
/// compiler honest.
inline std::uint32_t read_all(const Layers& layers) {
  using Words = Eigen::Array<std::uint32_t, Eigen::Dynamic, 1>;
  constexpr Index piece = 1 << 18;
  std::uint32_t total = 0;
  for (const Layer& layer : layers) {
    const Eigen::Map<const Words> words(static_cast<const std::uint32_t*>(layer.data),
                                        layer.bytes() / 4);
    std::vector<std::uint32_t> sums(static_cast<std::size_t>((words.size() + piece - 1) / piece));
    diffseg::detail::parallel_for(static_cast<Index>(sums.size()), [&](Index i) {
      const Index begin = i * piece;
      sums[static_cast<std::size_t>(i)] =
          words.segment(begin, std::min(piece, words.size() - begin)).sum();
    });
    for (const std::uint32_t sum : sums) total += sum;
  }
  return total;
}

}  // namespace bench
