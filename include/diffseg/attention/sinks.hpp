// SPDX-License-Identifier: MIT
// Keys that take most of a layer's attention, found and left out.
#pragma once

#include <algorithm>
#include <concepts>
#include <utility>
#include <vector>

#include "diffseg/attention/detail/layer_rows.hpp"

namespace diffseg {

namespace detail {

/// Calls use(piece, query, row [keys], its sum) for every query of a layer, in parallel by pieces:
/// `pieces` runs of queries.
template <class Use>
void for_distributions(const LayerSource& source, Index pieces, const Use& use) {
  const Layer& layer = *source.layer;
  if (layer.kind == LayerKind::queries_keys) refuse_invalid_products(source);
  const LayerRows<float> rows(source);
  const Index queries = layer.queries.cells();
  const std::vector<float> ones(static_cast<std::size_t>(layer.keys.cells()), 1.0F);
  parallel_for(
      pieces, [&] { return rows.make_scratch(); },
      [&](Index piece, auto& scratch) {
        const Index end = (piece + 1) * queries / pieces;
        for (Index query = piece * queries / pieces; query < end; query += rows.block()) {
          rows.read(query, std::min(end, query + rows.block()), scratch,
                    [&](Index i, const float* row) {
                      use(piece, i, row, rows.total(i, row, ones.data()));
                    });
        }
      });
}

inline Index distribution_pieces(const Layer& layer) {
  return std::min<Index>(64, layer.queries.cells());
}

}  // namespace detail

/// [keys] the share of a layer's attention that each key gets, of sum 1: the mean over queries of
/// the mean over heads. The same bits for any number of threads. `stage` begins what refusals say.
/// Throws std::invalid_argument for what Aggregate refuses in a layer.
template <std::same_as<Layer> AnyLayer>  // a template costs compile time only where it is called
[[nodiscard]] std::vector<double> key_shares(const AnyLayer& layer,
                                             const char* stage = "key_shares") {
  layer.check(stage);
  const Index keys = layer.keys.cells();
  const Index pieces = detail::distribution_pieces(layer);
  Matrix<double> sums = Matrix<double>::Zero(pieces, keys);
  detail::for_distributions({&layer, -1, stage}, pieces,
                            [&](Index piece, Index, const float* row, float total) {
                              const double factor = 1 / static_cast<double>(total);
                              double* const sum = sums.row(piece).data();
                              for (Index k = 0; k < keys; ++k) sum[k] += factor * double{row[k]};
                            });
  std::vector<double> shares(static_cast<std::size_t>(keys), 0.0);
  for (Index piece = 0; piece < pieces; ++piece) {
    for (Index k = 0; k < keys; ++k) shares[static_cast<std::size_t>(k)] += sums(piece, k);
  }
  for (double& share : shares) share /= static_cast<double>(layer.queries.cells());
  return shares;
}

/// A layer of any kind without its sinks: keys that get more than `share` of its attention (0..1,
/// not 0) and more than 8 times what each would get of even attention. Without such a key the layer
/// itself; else a layer [1, queries, keys] that owns the mean over heads (which is all that
/// Aggregate takes of it), f32, with nothing at these keys and rows of sum 1; a row that has
/// nothing elsewhere becomes even. Throws std::invalid_argument for other shares, and for what
/// Aggregate refuses in a layer.
template <std::floating_point Share>
[[nodiscard]] Layer leave_out_sinks(const Layer& layer, Share share) {
  detail::require(share > 0 && share <= 1, "leave_out_sinks: share must be in (0, 1], got ", share);
  const std::vector<double> shares = key_shares(layer, "leave_out_sinks");
  const Index keys = layer.keys.cells();
  const double least = std::max(static_cast<double>(share), 8 / static_cast<double>(keys));
  std::vector<Index> sinks;
  for (Index k = 0; k < keys; ++k) {
    if (shares[static_cast<std::size_t>(k)] > least) sinks.push_back(k);
  }
  if (sinks.empty()) return layer;
  std::vector<float> values(static_cast<std::size_t>(layer.queries.cells() * keys));
  const float even = 1.0F / static_cast<float>(keys - static_cast<Index>(sinks.size()));
  detail::for_distributions({&layer, -1, "leave_out_sinks"}, detail::distribution_pieces(layer),
                            [&](Index, Index query, const float* row, float total) {
                              float* const out = values.data() + query * keys;
                              std::copy_n(row, keys, out);
                              for (const Index sink : sinks) out[sink] = 0;
                              const float rest = detail::sum_of(out, keys);
                              const bool is_lost = rest <= 1e-6F * total;
                              const float factor = is_lost ? 0 : 1 / rest;
                              for (Index k = 0; k < keys; ++k)
                                out[k] = is_lost ? even : factor * out[k];
                              for (const Index sink : sinks) out[sink] = 0;
                            });
  Layer result = Layer::owning(std::move(values), 1, layer.queries, layer.keys);
  result.name = layer.name;
  return result;
}

}  // namespace diffseg
