// SPDX-License-Identifier: MIT
// AggregateCross: cross-attention layers -> CrossMaps.
#pragma once

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "diffseg/attention/detail/layer_rows.hpp"
#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/workspace.hpp"
#include "diffseg/data/cross_maps.hpp"
#include "diffseg/math/resample.hpp"

namespace diffseg {

/// Cross-attention layers [heads, queries, tokens] (Layer::over_tokens) -> CrossMaps: per layer the
/// mean over heads, bilinearly enlarged to `size`, divided by its sum over all tokens; the weighted
/// sum of the layers. Only the wanted tokens are enlarged: the sum over tokens needs one plane, as
/// enlarging is linear. Errors: std::invalid_argument for no layer, layers that differ in their
/// tokens, attention that is negative, NaN or infinite, a query without any, options outside their
/// range.
struct AggregateCross {
  using Stage = void;  ///< it may begin or follow a chain

  GridSize size = {512, 512};        ///< pixels of the result, >= 1 x 1
  std::vector<double> weights = {};  ///< one per layer, finite, >= 0; none: 1 each
  std::vector<Index> tokens = {};    ///< wanted columns, any order; none: all

  /// The maps of the tokens at `size`.
  template <class Scalar = float>
  [[nodiscard]] CrossMaps<Scalar> operator()(const Layers& layers) const {
    CrossMaps<Scalar> maps;
    (*this)(layers, maps);
    return maps;
  }

  /// The same into `maps`, in its scalar, reusing its storage. After an exception they are
  /// empty, or as they were if no attention was read.
  template <class Scalar>
  void operator()(const Layers& layers, CrossMaps<Scalar>& maps) const {
    Workspace workspace;
    (*this)(layers, maps, workspace);
  }

  /// The same with what an earlier call has left in `workspace`.
  template <class Scalar>
  void operator()(const Layers& layers, CrossMaps<Scalar>& maps, Workspace& workspace) const;

 private:
  template <class Scalar>
  struct Thread {
    detail::Buffer<Scalar> enlarged, resampling;  // [pixels], what the resampler needs
  };

  /// What one call can use again of another.
  template <class Scalar>
  struct Scratch {
    Matrix<Scalar> planes;         // [wanted + 1 x queries] of one layer
    detail::Buffer<Scalar> share;  // [pixels]
    std::vector<Thread<Scalar>> threads;
    std::vector<typename detail::LayerRows<Scalar>::Scratch> reading;
  };

  void check(const Layers& layers) const {
    detail::require(!layers.empty(), "AggregateCross: layers must not be empty");
    for (std::size_t i = 0; i < layers.size(); ++i) {
      layers[i].check("AggregateCross", static_cast<Index>(i));
      detail::require(layers[i].keys == GridSize{1, layers.front().keys.width},
                      "AggregateCross: layers must have the same tokens as keys "
                      "(Layer::over_tokens), got ",
                      layers[i].keys.height, " x ", layers[i].keys.width, " at ",
                      detail::LayerPlace{layers[i].name, static_cast<Index>(i)});
    }
    detail::require(size.height >= 1 && size.width >= 1,
                    "AggregateCross: size must be at least 1 x 1, got ", size.height, " x ",
                    size.width);
    (void)detail::checked_product(size.height, size.width, "AggregateCross");
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

  /// Fills the planes: sums over heads of the wanted columns, and last of all columns. The number
  /// of heads cancels in the division.
  template <class Scalar>
  static void read_planes(const detail::LayerSource& source, const std::vector<Index>& wanted,
                          Scratch<Scalar>& scratch) {
    const Layer& layer = *source.layer;
    const Index queries = layer.queries.cells();
    const std::vector<Scalar> ones(static_cast<std::size_t>(layer.keys.cells()), Scalar(1));
    if (layer.kind == LayerKind::queries_keys) detail::refuse_invalid_products(source);
    const detail::LayerRows<Scalar> rows(source);
    const Index together = rows.block();
    auto& planes = scratch.planes;
    detail::set_size(planes, static_cast<Index>(wanted.size()) + 1, queries);
    detail::parallel_for((queries + together - 1) / together, scratch.reading,
                         [&](auto& reading) { rows.prepare(reading); },
                         [&](Index piece, auto& reading) {
                           const Index end = std::min(queries, (piece + 1) * together);
                           rows.read(
                               piece * together, end, reading, [&](Index i, const Scalar* row) {
                                 for (std::size_t k = 0; k < wanted.size(); ++k) {
                                   planes(static_cast<Index>(k), i) = row[wanted[k]];
                                 }
                                 planes(planes.rows() - 1, i) = rows.total(i, row, ones.data());
                               });
                         });
  }

  [[nodiscard]] static Index bytes(const Layers& layers) {
    Index total = 0;
    for (const Layer& layer : layers) total += layer.bytes();
    return total;
  }
};

template <class Scalar>
void AggregateCross::operator()(const Layers& layers, CrossMaps<Scalar>& maps,
                                Workspace& workspace) const {
  check(layers);
  std::vector<Index> wanted_tokens = columns(layers.front().keys.cells());
  CrossMaps<Scalar> result = std::exchange(maps, {});
  const detail::ProfileScope scope("AggregateCross", bytes(layers));
  auto& scratch = workspace.get<Scratch<Scalar>>();
  const Index pixels = size.cells();
  result.size = size;
  result.tokens = std::move(wanted_tokens);
  const auto wanted = static_cast<Index>(result.tokens.size());
  detail::set_size(result.values, wanted, pixels);
  result.values.setZero();
  detail::make_room(scratch.share, pixels);
  auto share = scratch.share.head(pixels);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    read_planes({&layers[i], static_cast<Index>(i), "AggregateCross"}, result.tokens, scratch);
    const auto& planes = scratch.planes;
    const auto resampler =
        detail::cached_resampler<Scalar>(layers[i].queries, size, detail::Resampling::bilinear);
    const auto prepare = [&](Thread<Scalar>& thread) {
      detail::make_room(thread.enlarged, pixels);
      detail::make_room(thread.resampling, resampler->scratch_size());
    };
    detail::parallel_for(1, scratch.threads, prepare, [&](Index, Thread<Scalar>& thread) {
      resampler->apply(planes.row(wanted).data(), nullptr, share.data(), thread.resampling.data());
    });
    share = static_cast<Scalar>(weights.empty() ? 1.0 : weights[i]) / share;
    detail::parallel_for(wanted, scratch.threads, prepare, [&](Index row, Thread<Scalar>& thread) {
      resampler->apply(planes.row(row).data(), nullptr, thread.enlarged.data(),
                       thread.resampling.data());
      result.values.row(row).array() += (share * thread.enlarged.head(pixels)).transpose();
    });
  }
  maps = std::move(result);
}

}  // namespace diffseg
