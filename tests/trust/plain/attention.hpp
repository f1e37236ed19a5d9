// SPDX-License-Identifier: MIT
// Layers as numbers in double, and what Aggregate and AggregateCross make of them.
#pragma once

#include <cmath>
#include <diffseg/attention/aggregate.hpp>
#include <limits>
#include <vector>

#include "trust/plain/grids.hpp"

namespace plain {

using diffseg::ElementType;
using diffseg::Layer;
using diffseg::LayerKind;
using diffseg::Layers;
using Numbers = diffseg::detail::Buffer<double>;

/// Numbers, and what the rounding of a scalar may do to each of them, in units of its epsilon: the
/// first order of the worst case, whatever the order of additions.
struct Row {
  Numbers value, error;
};

/// What a scalar whose subnormal numbers are zeros loses, in units of epsilon.
constexpr double flushed = 2e-31;

inline double number(const Layer& layer, const void* data, Index i) {
  switch (layer.type) {
    case ElementType::f16:
      return static_cast<double>(static_cast<float>(static_cast<const Eigen::half*>(data)[i]));
    case ElementType::bf16:
      return static_cast<double>(static_cast<float>(static_cast<const Eigen::bfloat16*>(data)[i]));
    case ElementType::f64:
      return static_cast<const double*>(data)[i];
    case ElementType::f32:
      break;
  }
  return static_cast<double>(static_cast<const float*>(data)[i]);
}

/// What a stride of a layer is when it is not given.
inline Index given(Index stride, Index dense) {
  return stride != 0 ? stride : dense;
}

/// Dense numbers of one head and query.
inline Row dense_row(const Layer& layer, Index head, Index query) {
  const Index keys = layer.keys.cells();
  const Index row = given(layer.row_stride, keys);
  const Index begin = head * given(layer.head_stride, row * layer.queries.cells()) + query * row;
  Row out{Numbers(keys), Numbers(keys)};
  for (Index k = 0; k < keys; ++k) {
    out.value[k] = number(layer, layer.data, begin + k);
    out.error[k] = std::abs(out.value[k]) + flushed;
  }
  return out;
}

/// Sparse numbers of one head and query, and what lies on the keys that are not stored.
inline Row sparse_row(const Layer& layer, Index head, Index query) {
  const Index keys = layer.keys.cells();
  const Index place = head * layer.queries.cells() + query;
  const Index count = layer.row_starts[place + 1] - layer.row_starts[place];
  double sum = 0;
  for (Index i = layer.row_starts[place]; i < layer.row_starts[place + 1]; ++i) {
    sum += number(layer, layer.data, i);
  }
  double rest = 0;
  double rest_error = flushed;
  if (layer.spread_rest && count < keys) {
    rest = std::max(0.0, 1 - sum) / static_cast<double>(keys - count);
    rest_error += (static_cast<double>(count) + 2) / static_cast<double>(keys - count) + 2 * rest;
  }
  Row out{Numbers::Constant(keys, rest), Numbers::Constant(keys, rest_error)};
  for (Index i = layer.row_starts[place]; i < layer.row_starts[place + 1]; ++i) {
    const Index key = layer.column_type == Layer::Columns::i64
                          ? static_cast<const std::int64_t*>(layer.columns)[i]
                          : static_cast<const std::int32_t*>(layer.columns)[i];
    out.value[key] = number(layer, layer.data, i);
    // The library adds the rest to all keys and takes it off here.
    out.error[key] += 2 * out.value[key] + 4 * rest + flushed;
  }
  return out;
}

/// Scores become their soft-max; errors of the scores shift the logarithms of the powers.
inline void soften(Row& row, const Numbers& score_error) {
  const double most = row.value.maxCoeff();
  double sum = 0;
  double sum_error = 0;
  for (Index k = 0; k < row.value.size(); ++k) {
    const double power = std::exp(row.value[k] - most);
    const double shift = power > 0 ? score_error[k] + most - row.value[k] + 8 : 0;
    row.value[k] = power;
    row.error[k] = power * shift + flushed;
    sum += power;
    sum_error += row.error[k] + power * static_cast<double>(row.value.size());
  }
  row.error = row.error / sum + row.value * (sum_error / sum + 2) / sum;
  row.value /= sum;
}

inline Row score_row(const Layer& layer, Index head, Index query) {
  Row out = dense_row(layer, head, query);
  double largest = 0;
  for (const double score : out.value) {
    if (std::isfinite(score)) largest = std::max(largest, std::abs(score));
  }
  soften(out, Numbers::Constant(out.value.size(), 2 * largest));
  return out;
}

inline Row product_row(const Layer& layer, Index head, Index query) {
  const Index keys = layer.keys.cells();
  const double scale =
      layer.scale > 0 ? layer.scale : 1 / std::sqrt(static_cast<double>(layer.depth));
  const Index row = given(layer.row_stride, layer.depth);
  const Index begin = head * given(layer.head_stride, row * layer.queries.cells()) + query * row;
  const Index key_row = given(layer.key_row_stride, layer.depth);
  const Index key_begin = head * given(layer.key_head_stride, key_row * keys);
  Row out{Numbers(keys), Numbers(keys)};
  double largest = 0;
  for (Index k = 0; k < keys; ++k) {
    double score = 0;
    double size = 0;
    for (Index i = 0; i < layer.depth; ++i) {
      const double product = number(layer, layer.data, begin + i) *
                             number(layer, layer.key_data, key_begin + k * key_row + i);
      score += product;
      size += std::abs(product);
    }
    out.value[k] = scale * score;
    largest = std::max(largest, scale * size);
  }
  soften(out, Numbers::Constant(keys, 2 * (static_cast<double>(layer.depth) + 4) * largest));
  return out;
}

/// The mean over heads, up to a factor.
inline Row head_mean(const Layer& layer, Index query) {
  const Index keys = layer.keys.cells();
  Row out{Numbers::Zero(keys), Numbers::Zero(keys)};
  for (Index head = 0; head < layer.heads; ++head) {
    double weight =
        layer.head_weights.empty() ? 1 : layer.head_weights[static_cast<std::size_t>(head)];
    if (weight == 0) continue;
    Row row = layer.kind == LayerKind::scores         ? score_row(layer, head, query)
              : layer.kind == LayerKind::queries_keys ? product_row(layer, head, query)
              : layer.kind == LayerKind::sparse       ? sparse_row(layer, head, query)
                                                      : dense_row(layer, head, query);
    const bool dense = layer.kind != LayerKind::scores && layer.kind != LayerKind::queries_keys;
    if (layer.partial && dense) {
      const double sum = row.value.sum();
      row.error += row.value * (row.error.sum() / sum + static_cast<double>(keys) + 2);
      weight /= sum;
    }
    out.value += weight * row.value;
    out.error += weight * (row.error + 2 * row.value);
  }
  // Partial sums may hold what a later head's rest is taken off from again.
  const double sums = layer.spread_rest ? out.value.maxCoeff() : 0;
  out.error += static_cast<double>(layer.heads) * (out.value + sums);
  return out;
}

/// The same on other cells, by a table for each axis. The library rounds where a target lies in
/// double: `unit` is the epsilon of double in that of the scalar.
inline Row resampled(const Row& row, const Table& rows, const Table& columns, double unit) {
  Row out{resampled(row.value, rows, columns), Numbers()};
  const Numbers error = row.error + 8 * row.value;
  out.error = resampled(error, rows, columns);
  const auto taps =
      static_cast<double>(rows.cols() / rows.rows() + columns.cols() / columns.rows());
  const double place = 4 * static_cast<double>(std::max(rows.cols(), columns.cols()));
  out.error += (taps + 4) * out.value + place * unit * row.value.maxCoeff();
  return out;
}

/// Scaled to sum 1.
inline void normalise(Row& row, double additions) {
  const double sum = row.value.sum();
  const double sum_error = row.error.sum() + additions * sum;
  row.error = row.error / sum + row.value * (sum_error / sum + 2) / sum;
  row.value /= sum;
}

/// [T x T] numbers and errors.
struct PlainMaps {
  Table value, error;
};

/// What Aggregate is told, its weights of sum 1.
struct AggregateOptions {
  GridSize grid;
  std::vector<double> weights;
  double floor;
  bool sample;
};

/// Aggregate; `unit` as above.
inline PlainMaps aggregate(const Layers& layers, const AggregateOptions& options, double unit) {
  const auto& [grid, weights, floor, sample] = options;
  const Index tokens = grid.cells();
  PlainMaps maps{Table::Zero(tokens, tokens), Table::Zero(tokens, tokens)};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    if (weights[i] == 0) continue;
    const Table rows = mass(layer.keys.height, grid.height);
    const Table columns = mass(layer.keys.width, grid.width);
    const Table down = repeat(layer.queries.height, grid.height, sample);
    const Table across = repeat(layer.queries.width, grid.width, sample);
    for (Index query = 0; query < layer.queries.cells(); ++query) {
      Row row = resampled(head_mean(layer, query), rows, columns, unit);
      normalise(row, static_cast<double>(layer.keys.cells() + 8));
      row.error += row.value * static_cast<double>(layers.size() + down.cols() + across.cols() + 8);
      const Index v = query / layer.queries.width;
      const Index u = query % layer.queries.width;
      for (Index token = 0; token < tokens; ++token) {
        const double share = down(token / grid.width, v) * across(token % grid.width, u);
        if (share == 0) continue;
        maps.value.row(token) += weights[i] * share * row.value.matrix().transpose();
        maps.error.row(token) += weights[i] * share * row.error.matrix().transpose();
      }
    }
  }
  for (Index token = 0; token < tokens; ++token) {
    auto value = maps.value.row(token).array();
    auto error = maps.error.row(token).array();
    value = value.max(floor);
    const double sum = value.sum();
    // What a small floor adds to the sum may stay there.
    const double added = floor * static_cast<double>(tokens);
    const double kept = added > 1e-7 ? 0 : added * unit / std::numeric_limits<double>::epsilon();
    error =
        error / sum + value * (error.sum() / sum + static_cast<double>(tokens) + 4 + kept) / sum;
    value /= sum;
  }
  return maps;
}

}  // namespace plain
