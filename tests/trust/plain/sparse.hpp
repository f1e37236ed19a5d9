// SPDX-License-Identifier: MIT
// AggregateCross, Downsample, Sharpen, top_k and keep_mass in plain loops.
#pragma once

#include <algorithm>
#include <numeric>
#include <utility>

#include "trust/plain/attention.hpp"

namespace plain {

/// AggregateCross: [wanted x pixels].
inline PlainMaps cross(const Layers& layers, GridSize size, const std::vector<double>& weights,
                       const std::vector<Index>& wanted, double unit) {
  const auto count = static_cast<Index>(wanted.size());
  PlainMaps maps{Table::Zero(count, size.cells()), Table::Zero(count, size.cells())};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const Index queries = layer.queries.cells();
    const Table rows = bilinear(layer.queries.height, size.height);
    const Table columns = bilinear(layer.queries.width, size.width);
    std::vector<Row> planes(static_cast<std::size_t>(count) + 1,
                            {Numbers::Zero(queries), Numbers::Zero(queries)});
    for (Index query = 0; query < queries; ++query) {
      const Row row = head_mean(layer, query);
      for (std::size_t c = 0; c < wanted.size(); ++c) {
        planes[c].value[query] = row.value[wanted[c]];
        planes[c].error[query] = row.error[wanted[c]];
      }
      planes.back().value[query] = row.value.sum();
      planes.back().error[query] =
          row.error.sum() + row.value.sum() * static_cast<double>(row.value.size());
    }
    const Row all = resampled(planes.back(), rows, columns, unit);
    for (Index c = 0; c < count; ++c) {
      const Row one = resampled(planes[static_cast<std::size_t>(c)], rows, columns, unit);
      const Numbers share = weights[i] * one.value / all.value;
      maps.value.row(c) += share.matrix().transpose();
      maps.error.row(c) +=
          (weights[i] * one.error / all.value +
           share * (all.error / all.value + static_cast<double>(layers.size()) + 4))
              .matrix()
              .transpose();
    }
  }
  return maps;
}

/// Downsample of one head: [queries x keys].
inline PlainMaps downsample(const Layer& layer, Index head, GridSize queries, GridSize keys,
                            double unit) {
  PlainMaps out{Table::Zero(queries.cells(), keys.cells()),
                Table::Zero(queries.cells(), keys.cells())};
  const Table down = mean(layer.queries.height, queries.height);
  const Table across = mean(layer.queries.width, queries.width);
  const Table rows = mass(layer.keys.height, keys.height);
  const Table columns = mass(layer.keys.width, keys.width);
  for (Index query = 0; query < layer.queries.cells(); ++query) {
    const Row row = resampled(dense_row(layer, head, query), rows, columns, unit);
    const double taps = static_cast<double>(down.cols() + across.cols() + 8);
    for (Index token = 0; token < queries.cells(); ++token) {
      const double share = down(token / queries.width, query / layer.queries.width) *
                           across(token % queries.width, query % layer.queries.width);
      out.value.row(token) += share * row.value.matrix().transpose();
      out.error.row(token) += share * (row.error + taps * row.value).matrix().transpose();
    }
  }
  return out;
}

/// Sharpen: rows to a power, at least `floor`, of sum 1.
inline PlainMaps sharpen(const Table& maps, double power, double floor) {
  PlainMaps out{maps, maps};
  for (Index i = 0; i < maps.rows(); ++i) {
    Row row{maps.row(i).array().transpose(), Numbers(maps.cols())};
    const double largest = row.value.maxCoeff();
    for (Index k = 0; k < maps.cols(); ++k) {
      const double logarithm = std::log(row.value[k] / largest);
      row.value[k] = std::exp(power * logarithm);
      const double shift = power * (4 * std::abs(logarithm) + 4) + 8;
      row.error[k] = row.value[k] * shift + flushed;
    }
    normalise(row, static_cast<double>(maps.cols()));
    out.value.row(i) = row.value.max(floor).matrix().transpose();
    out.error.row(i) = (row.error + row.value).max(floor).matrix().transpose();
  }
  return out;
}

/// Numbers of row head * queries + query, subnormal ones as zeros.
inline Numbers numbers_of(const Layer& layer, Index row) {
  Numbers numbers =
      dense_row(layer, row / layer.queries.cells(), row % layer.queries.cells()).value;
  const double least = layer.type == ElementType::f64
                           ? std::numeric_limits<double>::min()
                           : static_cast<double>(std::numeric_limits<float>::min());
  for (double& one : numbers) one = one < least ? 0 : one;
  return numbers;
}

/// The keys of the k largest numbers of a row, ascending; of equals the lowest keys.
inline std::vector<Index> largest(const Layer& layer, Index row, Index k) {
  const Numbers numbers = numbers_of(layer, row);
  std::vector<Index> keys(static_cast<std::size_t>(numbers.size()));
  std::iota(keys.begin(), keys.end(), Index{0});
  std::stable_sort(keys.begin(), keys.end(),
                   [&](Index a, Index b) { return numbers[a] > numbers[b]; });
  keys.resize(static_cast<std::size_t>(k));
  std::sort(keys.begin(), keys.end());
  return keys;
}

/// The fewest and the most of the largest numbers of a row that sum to `share` of it, to 1e-12.
inline std::pair<Index, Index> count_for(const Layer& layer, Index row, double share) {
  Numbers numbers = numbers_of(layer, row);
  std::sort(numbers.begin(), numbers.end(), std::greater<>());
  const double total = numbers.sum();
  double sum = 0;
  Index least = 0;
  Index most = 0;
  for (Index i = 0; i < numbers.size(); ++i) {
    if (sum < (share - 1e-12) * total) least = i + 1;
    if (sum < (share + 1e-12) * total) most = i + 1;
    sum += numbers[i];
  }
  return {least, most};
}

}  // namespace plain
