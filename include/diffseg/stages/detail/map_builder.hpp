// SPDX-License-Identifier: MIT
// Aggregate's inner part: one map after the other, sharing what coarse queries have in common.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/packet.hpp"
#include "diffseg/core/types.hpp"
#include "diffseg/kernels/head_sum.hpp"
#include "diffseg/math/attention.hpp"
#include "diffseg/math/resample.hpp"

namespace diffseg::detail {

/// All layers of one query grid and one key grid: they are added up before they are resampled.
template <class Scalar>
struct LayerGroup {
  struct Member {
    const Layer* layer;
    std::size_t index;
    Scalar weight;
  };

  GridSize queries;
  GridSize keys;
  std::vector<Member> members;
  std::shared_ptr<const Resampler<Scalar>> to_grid;    // keys -> working grid
  std::shared_ptr<const Resampler<Scalar>> from_grid;  // which queries feed a working query
  std::vector<Index> sources;                          // [T] equal where the same row serves

  /// out [keys.cells()] += scale * sum over members of weight * (mean over heads, scaled so that
  /// its resampled map sums to 1). The mean's own factor cancels against that sum.
  void add_row(Index query, Scalar scale, Scalar* out, Scalar* heads) const {
    const Index count = keys.cells();
    Eigen::Map<Buffer<Scalar>> result(out, count);
    const Eigen::Map<const Buffer<Scalar>> row(heads, count);
    const Eigen::Map<const Buffer<Scalar>> sums(to_grid->sums().data(), count);
    for (const Member& member : members) {
      const bool sound = visit_elements(*member.layer, [&](const auto* data) {
        return head_sum(data + query * count, queries.cells() * count, member.layer->heads, count,
                        heads);
      });
      if (!sound) refuse_invalid(*member.layer, member.index, query, "Aggregate");
      const Scalar total = (row * sums).sum();
      // A subnormal sum has lost its digits, and its inverse may be infinite.
      require(total >= std::numeric_limits<Scalar>::min() && is_finite(total),
              "Aggregate: the attention of a query must have a positive finite sum, at least ",
              std::numeric_limits<Scalar>::min(), ", got ", total, " at layer ", member.index,
              ", query ", query);
      result += (scale * member.weight / total) * row;
    }
  }

  /// Fills `sources`, the first source query of each working query.
  void find_sources(GridSize grid) {
    for (Index y = 0; y < grid.height; ++y) {
      for (Index x = 0; x < grid.width; ++x) {
        sources.push_back(from_grid->vertical().first(y) * queries.width +
                          from_grid->horizontal().first(x));
      }
    }
  }

  /// out [keys.cells()] += the group's row for one working query: one source, or the mean of the
  /// sources that it covers.
  void add(GridSize grid, Index token, Scalar* out, Scalar* heads) const {
    const auto& vertical = from_grid->vertical();
    const auto& horizontal = from_grid->horizontal();
    const Index y = token / grid.width;
    const Index x = token % grid.width;
    for (Index i = 0; i < vertical.taps(); ++i) {
      for (Index j = 0; j < horizontal.taps(); ++j) {
        const Scalar scale = vertical.weights(y)[i] * horizontal.weights(x)[j];
        if (scale == Scalar(0)) continue;
        const Index query = (vertical.first(y) + i) * queries.width + horizontal.first(x) + j;
        add_row(query, scale, out, heads);
      }
    }
  }
};

/// The groups of all layers, coarse queries first, so that what many working queries share is
/// computed first and once.
template <class Scalar>
std::vector<LayerGroup<Scalar>> group_layers(const Layers& layers,
                                             const std::vector<double>& weights, GridSize grid) {
  std::vector<LayerGroup<Scalar>> groups;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (weights[i] == 0) continue;
    const Layer& layer = layers[i];
    auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) {
      return g.queries == layer.queries && g.keys == layer.keys;
    });
    if (group == groups.end()) {
      group = groups.insert(groups.end(), {layer.queries, layer.keys, {}, nullptr, nullptr, {}});
      group->to_grid = cached_resampler<Scalar>(layer.keys, grid, Resampling::mass);
      group->from_grid = cached_resampler<Scalar>(layer.queries, grid, Resampling::repeat);
      group->find_sources(grid);
    }
    group->members.push_back({&layer, i, static_cast<Scalar>(weights[i])});
  }
  std::stable_sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) {
    return a.queries.cells() < b.queries.cells();
  });
  return groups;
}

/// Working queries so that those with the same coarse sources follow each other: a radix sort with
/// the coarsest group as the highest digit.
template <class Scalar>
std::vector<Index> shared_order(const std::vector<LayerGroup<Scalar>>& groups, Index tokens) {
  std::vector<Index> order(static_cast<std::size_t>(tokens));
  std::iota(order.begin(), order.end(), Index{0});
  std::vector<Index> sorted(order.size());
  for (auto group = groups.rbegin(); group != groups.rend(); ++group) {
    const auto digit = [&](Index token) {
      return static_cast<std::size_t>(group->sources[static_cast<std::size_t>(token)]);
    };
    std::vector<std::size_t> starts(static_cast<std::size_t>(group->queries.cells()) + 1, 0);
    for (const Index token : order) ++starts[digit(token) + 1];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    for (const Index token : order) sorted[starts[digit(token)]++] = token;
    order.swap(sorted);
  }
  return order;
}

/// Sums the groups for one working query after the other, keeping what the next one shares.
template <class Scalar>
class MapBuilder {
 public:
  MapBuilder(const std::vector<LayerGroup<Scalar>>& groups, GridSize grid)
      : groups_(groups), grid_(grid), sources_(groups.size(), unknown), partial_(groups.size()) {
    Index keys = 0;
    Index scratch = 0;
    for (const auto& group : groups) {
      keys = std::max(keys, group.keys.cells());
      scratch = std::max(scratch, group.to_grid->scratch_size());
    }
    for (auto& partial : partial_) partial.resize(grid.cells());
    row_.resize(keys);
    heads_.resize(keys);
    scratch_.resize(scratch);
  }

  /// out [T] = the weighted sum of all groups for working query `token`.
  void build(Index token, Scalar* out) {
    std::size_t next = 0;
    while (next < groups_.size() && is_current(next, token)) ++next;
    for (; next < groups_.size(); ++next) {
      sources_[next] = source(next, token);
      // The last sum goes straight to its place unless the next query may want it too.
      const bool last = next + 1 == groups_.size() && sources_[next] == unshared;
      add(groups_[next], token, next == 0 ? nullptr : partial_[next - 1].data(),
          last ? out : partial_[next].data());
      if (last) return;
    }
    std::copy_n(partial_.back().data(), grid_.cells(), out);
  }

 private:
  static constexpr Index unshared = -1;
  static constexpr Index unknown = -2;

  /// What decides whether the sum up to group `index` can serve `token`.
  [[nodiscard]] Index source(std::size_t index, Index token) const {
    const auto& group = groups_[index];
    const bool shared = group.queries.cells() < grid_.cells() &&
                        group.from_grid->vertical().taps() == 1 &&
                        group.from_grid->horizontal().taps() == 1;
    return shared ? group.sources[static_cast<std::size_t>(token)] : unshared;
  }

  [[nodiscard]] bool is_current(std::size_t index, Index token) const {
    return sources_[index] != unshared && sources_[index] == source(index, token);
  }

  /// out [T] = base [T] (or nothing) + one group.
  void add(const LayerGroup<Scalar>& group, Index token, const Scalar* base, Scalar* out) {
    if (group.keys == grid_) {
      if (base == nullptr) std::fill_n(out, grid_.cells(), Scalar(0));
      if (base != nullptr) std::copy_n(base, grid_.cells(), out);
      group.add(grid_, token, out, heads_.data());
    } else {
      row_.head(group.keys.cells()).setZero();
      group.add(grid_, token, row_.data(), heads_.data());
      group.to_grid->apply(row_.data(), base, out, scratch_.data());
    }
  }

  const std::vector<LayerGroup<Scalar>>& groups_;
  GridSize grid_;
  std::vector<Index> sources_;
  std::vector<Buffer<Scalar>> partial_;  // [groups] sums of the groups up to this one
  Buffer<Scalar> row_, heads_, scratch_;
};

}  // namespace diffseg::detail
