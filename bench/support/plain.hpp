// SPDX-License-Identifier: MIT
// DiffSeg as plainly as it can be written, in double, square grids only: what small results of the
// library are compared with. Shares no code with it but threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <diffseg/core/parallel.hpp>
#include <diffseg/data/layer.hpp>
#include <utility>
#include <vector>

namespace bench::plain {

using diffseg::Index;
using Rows = diffseg::Matrix<double>;

/// [to x from] bilinear with half-pixel centres.
inline Rows enlarging(Index from, Index to) {
  Rows weights = Rows::Zero(to, from);
  for (Index i = 0; i < to; ++i) {
    const double centre =
        (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    const double at = std::min(std::max(centre, 0.0), static_cast<double>(from - 1));
    const auto low = static_cast<Index>(at);
    weights(i, low) += 1 - (at - static_cast<double>(low));
    if (low + 1 < from) weights(i, low + 1) += at - static_cast<double>(low);
  }
  return weights;
}

/// A map [from * from] on to * to cells.
inline Rows enlarged(const Eigen::Ref<const Eigen::RowVectorXd>& map, Index from, Index to) {
  const Rows weights = enlarging(from, to);
  return weights * Eigen::Map<const Rows>(map.data(), from, from) * weights.transpose();
}

/// f32 layers -> maps on the finest grid, `side` cells a side.
inline Rows aggregate(const diffseg::Layers& layers, Index side) {
  Rows maps = Rows::Zero(side * side, side * side);
  double sides = 0;
  for (const auto& layer : layers) sides += static_cast<double>(layer.queries.height);
  for (const auto& layer : layers) {
    const Index own = layer.queries.height;
    const Index tokens = own * own;
    const auto* data = static_cast<const float*>(layer.data);
    diffseg::detail::parallel_for(side * side, [&](Index cell) {
      const Index query = cell / side * own / side * own + cell % side * own / side;
      Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(tokens);
      for (Index head = 0; head < layer.heads; ++head) {
        const float* row = data + (head * tokens + query) * tokens;
        sum += Eigen::Map<const Eigen::RowVectorXf>(row, tokens).cast<double>();
      }
      const Rows map = enlarged(sum, own, side);
      maps.row(cell) += static_cast<double>(own) / sides / map.sum() *
                        Eigen::Map<const Eigen::RowVectorXd>(map.data(), side * side);
    });
  }
  return maps;
}

/// [a x b] divergences of rows.
inline Rows divergences(const Rows& a, const Rows& b) {
  const Rows log_a = a.array().log();
  const Rows log_b = b.array().log();
  Rows result(a.rows(), b.rows());
  diffseg::detail::parallel_for(a.rows(), [&](Index i) {
    for (Index j = 0; j < b.rows(); ++j) {
      result(i, j) =
          0.5 * ((a.row(i) - b.row(j)).array() * (log_a.row(i) - log_b.row(j)).array()).sum();
    }
  });
  return result;
}

/// The mean of the rows whose divergence is below the threshold.
inline Eigen::RowVectorXd mean_below(const Rows& rows, const Eigen::RowVectorXd& distances,
                                     double threshold) {
  Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(rows.cols());
  double count = 0;
  for (Index i = 0; i < rows.rows(); ++i) {
    if (distances[i] >= threshold) continue;
    sum += rows.row(i);
    ++count;
  }
  return sum / count;
}

/// Maps -> proposals: anchors a side in the middle of equal parts, one threshold an iteration.
inline Rows merge(const Rows& maps, Index side, Index anchors,
                  const std::vector<double>& thresholds) {
  Rows proposals(anchors * anchors, maps.cols());
  for (Index i = 0; i < proposals.rows(); ++i) {
    const auto place = [&](Index k) { return ((2 * k + 1) * side - anchors) / (2 * anchors); };
    proposals.row(i) = maps.row(place(i / anchors) * side + place(i % anchors));
  }
  Rows close = divergences(proposals, maps);
  for (Index i = 0; i < proposals.rows(); ++i) {
    proposals.row(i) = mean_below(maps, close.row(i), thresholds.front());
  }
  for (std::size_t iteration = 1; iteration < thresholds.size(); ++iteration) {
    close = divergences(proposals, proposals);
    std::vector<char> taken(static_cast<std::size_t>(proposals.rows()), 0);
    Rows joined(0, maps.cols());
    for (Index i = 0; i < proposals.rows(); ++i) {
      if (taken[static_cast<std::size_t>(i)] != 0) continue;
      joined.conservativeResize(joined.rows() + 1, Eigen::NoChange);
      joined.bottomRows(1) = mean_below(proposals, close.row(i), thresholds[iteration]);
      for (Index j = 0; j < proposals.rows(); ++j) {
        if (close(i, j) < thresholds[iteration]) taken[static_cast<std::size_t>(j)] = 1;
      }
    }
    proposals = std::move(joined);
  }
  return proposals;
}

/// Proposals -> the index of the largest, [size * size] pixels.
inline std::vector<std::int32_t> assign(const Rows& proposals, Index side, Index size) {
  Rows best = enlarged(proposals.row(0), side, size);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(size * size), 0);
  for (Index k = 1; k < proposals.rows(); ++k) {
    const Rows next = enlarged(proposals.row(k), side, size);
    for (Index pixel = 0; pixel < next.size(); ++pixel) {
      if (next.data()[pixel] <= best.data()[pixel]) continue;
      best.data()[pixel] = next.data()[pixel];
      labels[static_cast<std::size_t>(pixel)] = static_cast<std::int32_t>(k);
    }
  }
  return labels;
}

}  // namespace bench::plain
