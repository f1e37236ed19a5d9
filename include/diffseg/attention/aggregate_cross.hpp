// SPDX-License-Identifier: MIT
// AggregateCross: cross-attention layers -> CrossMaps.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "diffseg/attention/detail/layer_rows.hpp"
#include "diffseg/attention/layer_parts.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/core/packet.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/data/cross_maps.hpp"
#include "diffseg/data/layer.hpp"
#include "diffseg/math/resample.hpp"

namespace diffseg {

/// Cross-attention layers [heads, queries, tokens] (Layer::over_tokens) -> CrossMaps: per layer the
/// mean over heads, bilinearly enlarged to `size`, divided by its sum over all tokens; the weighted
/// sum of the layers. Only the wanted tokens are enlarged: the sum over tokens needs one plane, as
/// enlarging is linear. Errors: std::invalid_argument for no layer, layers that differ in their
/// tokens, attention that is negative, NaN or infinite, a query without any, options outside their
/// range.
struct AggregateCross {
  GridSize size = {512, 512};        ///< pixels of the result, >= 1 x 1
  std::vector<double> weights = {};  ///< one per layer, finite, >= 0; none: 1 each
  std::vector<Index> tokens = {};    ///< wanted columns, any order; none: all

  [[nodiscard]] CrossMaps<float> operator()(const Layers& layers) const {
    CrossMaps<float> maps;
    (*this)(layers, maps);
    return maps;
  }

  /// The same into `maps`, in its scalar, reusing its storage.
  template <class Scalar>
  void operator()(const Layers& layers, CrossMaps<Scalar>& maps) const {
    check(layers);
    const detail::ProfileScope scope("AggregateCross", bytes(layers));
    const Index pixels = detail::checked_product(size.height, size.width, "AggregateCross");
    maps.size = size;
    maps.tokens = columns(layers.front().keys.cells());
    maps.values.setZero(static_cast<Index>(maps.tokens.size()), pixels);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Matrix<Scalar> planes = coarse_planes<Scalar>(layers[i], i, maps.tokens);
      const auto resampler =
          detail::cached_resampler<Scalar>(layers[i].queries, size, detail::Resampling::bilinear);
      const Index wanted = maps.values.rows();
      detail::Buffer<Scalar> share(pixels);
      resampler->apply(planes.row(wanted).data(), share.data());
      share = static_cast<Scalar>(weights.empty() ? 1.0 : weights[i]) / share;
      detail::parallel_for(
          wanted, [&] { return detail::Buffer<Scalar>(pixels); },
          [&](Index row, detail::Buffer<Scalar>& enlarged) {
            resampler->apply(planes.row(row).data(), enlarged.data());
            maps.values.row(row).array() += (share * enlarged).transpose();
          });
    }
  }

 private:
  void check(const Layers& layers) const {
    detail::require(!layers.empty(), "AggregateCross: layers must not be empty");
    for (std::size_t i = 0; i < layers.size(); ++i) {
      detail::check_layer(layers[i], i, "AggregateCross");
      detail::require(
          layers[i].keys == GridSize{1, layers.front().keys.width},
          "AggregateCross: layers must have the same tokens as keys (Layer::over_tokens), got ",
          layers[i].keys.height, " x ", layers[i].keys.width, " at layer ", i);
    }
    detail::require(size.height >= 1 && size.width >= 1,
                    "AggregateCross: size must be at least 1 x 1, got ", size.height, " x ",
                    size.width);
    detail::require(weights.empty() || weights.size() == layers.size(),
                    "AggregateCross: weights must be one per layer, got ", weights.size(), " for ",
                    layers.size(), " layers");
    for (const double weight : weights) {
      detail::require(detail::is_finite(weight) && weight >= 0,
                      "AggregateCross: weights must be finite and >= 0, got ", weight);
    }
  }

  /// The wanted columns, ascending, each once.
  [[nodiscard]] std::vector<Index> columns(Index count) const {
    std::vector<Index> result = tokens;
    if (result.empty()) {
      result.resize(static_cast<std::size_t>(count));
      std::iota(result.begin(), result.end(), Index{0});
    }
    for (const Index token : result) {
      detail::require(token >= 0 && token < count, "AggregateCross: tokens must be in 0..",
                      count - 1, ", got ", token);
    }
    std::sort(result.begin(), result.end());
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
  }

  /// [wanted + 1 x queries] sums over heads of the wanted columns, and last of all columns. The
  /// number of heads cancels in the division.
  template <class Scalar>
  static Matrix<Scalar> coarse_planes(const Layer& layer, std::size_t index,
                                      const std::vector<Index>& wanted) {
    const Index queries = layer.queries.cells();
    const std::vector<Scalar> ones(static_cast<std::size_t>(layer.keys.cells()), Scalar(1));
    if (layer.kind == LayerKind::queries_keys) {
      detail::refuse_invalid_products(layer, index, "AggregateCross");
    }
    const detail::LayerRows<Scalar> rows(layer, index, "AggregateCross");
    const Index together = rows.block();
    Matrix<Scalar> planes(static_cast<Index>(wanted.size()) + 1, queries);
    detail::parallel_for((queries + together - 1) / together, [&] { return rows.make_scratch(); },
                         [&](Index piece, auto& scratch) {
                           const Index end = std::min(queries, (piece + 1) * together);
                           rows.read(
                               piece * together, end, scratch, [&](Index i, const Scalar* row) {
                                 for (std::size_t k = 0; k < wanted.size(); ++k) {
                                   planes(static_cast<Index>(k), i) = row[wanted[k]];
                                 }
                                 planes(planes.rows() - 1, i) = rows.total(i, row, ones.data());
                               });
                         });
    return planes;
  }

  [[nodiscard]] static Index bytes(const Layers& layers) {
    Index total = 0;
    for (const Layer& layer : layers) total += detail::layer_bytes(layer);
    return total;
  }
};

}  // namespace diffseg
