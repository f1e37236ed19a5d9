// SPDX-License-Identifier: MIT
// Aggregate's inner part: one map after the other, sharing what coarse queries have in common.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "diffseg/core/check.hpp"
#include "diffseg/core/packet.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/core/types.hpp"
#include "diffseg/math/resample.hpp"
#include "diffseg/stages/detail/layer_rows.hpp"

namespace diffseg::detail {

/// All layers of one query grid and one key grid: they are added up before they are resampled.
template <class Scalar>
struct LayerGroup {
  struct Member {
    LayerRows<Scalar> rows;
    Scalar weight;
  };

  GridSize queries;
  GridSize keys;
  std::vector<Member> members;                         // read when a row is wanted
  Scalar* sums = nullptr;                              // [queries x keys] or what was added before
  std::shared_ptr<const Resampler<Scalar>> to_grid;    // keys -> working grid
  std::shared_ptr<const Resampler<Scalar>> from_grid;  // which queries feed a working query
  std::vector<Index> sources;                          // [T] equal where the same row serves

  /// `along_queries` is Resampling::repeat or, to leave queries unread, Resampling::sample.
  LayerGroup(GridSize query_grid, GridSize key_grid, GridSize grid, Resampling along_queries)
      : queries(query_grid),
        keys(key_grid),
        to_grid(cached_resampler<Scalar>(key_grid, grid, Resampling::mass)),
        from_grid(cached_resampler<Scalar>(query_grid, grid, along_queries)) {}

  /// Buffers [keys] that one thread needs.
  struct Scratch {
    Buffer<Scalar> sum, row, head, mean;
  };

  /// out [keys] = (or +=, unless `first`) weight * row, scaled so that its resampled map sums to 1.
  void add_row(const LayerRows<Scalar>& rows, Index query, const Scalar* row, Scalar weight,
               bool first, Scalar* out) const {
    const Scalar total = rows.total(query, row, to_grid->sums().data());
    add_scaled(row, weight / total, keys.cells(), first, out);
  }

  /// The weighted sum of the layers [keys] for one query.
  const Scalar* row(Index query, Scratch& scratch) const {
    if (sums != nullptr) return sums + query * keys.cells();
    for (std::size_t i = 0; i < members.size(); ++i) {
      const Scalar* row = members[i].rows.read_row(query, scratch.row.data(), scratch.head.data());
      add_row(members[i].rows, query, row, members[i].weight, i == 0, scratch.sum.data());
    }
    return scratch.sum.data();
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

  /// [ceil(queries / together)] whether any of `together` queries after each other feeds the grid.
  [[nodiscard]] std::vector<char> needed_pieces(Index together) const {
    std::vector<char> needed(static_cast<std::size_t>((queries.cells() - 1) / together + 1), 0);
    const auto& vertical = from_grid->vertical();
    const auto& horizontal = from_grid->horizontal();
    for (Index y = 0; y < vertical.to(); ++y) {
      for (Index i = 0; i < vertical.taps(); ++i) {
        const Index row = (vertical.first(y) + i) * queries.width;
        for (Index x = 0; x < horizontal.to(); ++x) {
          const Index first = (row + horizontal.first(x)) / together;
          const Index last = (row + horizontal.first(x) + horizontal.taps() - 1) / together;
          for (Index piece = first; piece <= last; ++piece) {
            needed[static_cast<std::size_t>(piece)] = 1;
          }
        }
      }
    }
    return needed;
  }

  /// The group's row [keys] for one working query: one source, or the mean of those it covers.
  const Scalar* working_row(GridSize grid, Index token, Scratch& scratch) const {
    const auto& vertical = from_grid->vertical();
    const auto& horizontal = from_grid->horizontal();
    const Index y = token / grid.width;
    const Index x = token % grid.width;
    if (vertical.taps() == 1 && horizontal.taps() == 1) {
      return row(vertical.first(y) * queries.width + horizontal.first(x), scratch);
    }
    bool first = true;
    for (Index i = 0; i < vertical.taps(); ++i) {
      for (Index j = 0; j < horizontal.taps(); ++j) {
        const Scalar scale = vertical.weights(y)[i] * horizontal.weights(x)[j];
        if (scale == Scalar(0)) continue;
        const Index query = (vertical.first(y) + i) * queries.width + horizontal.first(x) + j;
        add_scaled(row(query, scratch), scale, keys.cells(), first, scratch.mean.data());
        first = false;
      }
    }
    return scratch.mean.data();
  }
};

/// The group of these grids in `groups`, made when missing.
template <class Scalar>
LayerGroup<Scalar>& find_group(std::vector<LayerGroup<Scalar>>& groups, const Layer& layer,
                               GridSize grid, Resampling along_queries) {
  for (auto& group : groups) {
    if (group.queries == layer.queries && group.keys == layer.keys) return group;
  }
  return groups.emplace_back(layer.queries, layer.keys, grid, along_queries);
}

/// Coarse queries first, so that what many working queries share is computed first and once.
template <class Scalar>
void prepare_groups(std::vector<LayerGroup<Scalar>>& groups, GridSize grid) {
  for (auto& group : groups) group.find_sources(grid);
  std::stable_sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) {
    return a.queries.cells() < b.queries.cells();
  });
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
    Index resampling = 0;
    for (const auto& group : groups) {
      keys = std::max(keys, group.keys.cells());
      resampling = std::max(resampling, group.to_grid->scratch_size());
    }
    for (auto& partial : partial_) partial.resize(grid.cells());
    for (auto* buffer : {&scratch_.sum, &scratch_.row, &scratch_.head, &scratch_.mean}) {
      buffer->resize(keys);
    }
    resampling_.resize(resampling);
  }

  /// out [T] = the sum of all groups for working query `token`; may be the last group's own row.
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
    const Scalar* row = group.working_row(grid_, token, scratch_);
    if (group.keys != grid_) {
      group.to_grid->apply(row, base, out, resampling_.data());
    } else if (base != nullptr) {
      using Row = Eigen::Map<const Buffer<Scalar>>;
      Eigen::Map<Buffer<Scalar>>(out, grid_.cells()) =
          Row(base, grid_.cells()) + Row(row, grid_.cells());
    } else if (row != out) {
      std::copy_n(row, grid_.cells(), out);
    }
  }

  const std::vector<LayerGroup<Scalar>>& groups_;
  GridSize grid_;
  std::vector<Index> sources_;
  std::vector<Buffer<Scalar>> partial_;  // [groups] sums of the groups up to this one
  typename LayerGroup<Scalar>::Scratch scratch_;
  Buffer<Scalar> resampling_;
};

/// rows [T x T] = factor * the sum of all groups, at least `floor`. `rows` may hold the last
/// group's sums: a row is read before it is written, and by its own query alone.
template <class Scalar>
void build_maps(const std::vector<LayerGroup<Scalar>>& groups, GridSize grid, double factor,
                double floor, Matrix<Scalar>& rows) {
  const auto order = shared_order(groups, grid.cells());
  const Index tokens = grid.cells();
  constexpr Index piece = 64;
  parallel_for((tokens + piece - 1) / piece, [&] { return MapBuilder<Scalar>(groups, grid); },
               [&](Index index, MapBuilder<Scalar>& builder) {
                 for (Index i = index * piece; i < std::min((index + 1) * piece, tokens); ++i) {
                   const Index token = order[static_cast<std::size_t>(i)];
                   Scalar* row = rows.data() + token * tokens;
                   builder.build(token, row);
                   Eigen::Map<Buffer<Scalar>> map(row, tokens);
                   map = (map * static_cast<Scalar>(factor)).max(static_cast<Scalar>(floor));
                   // A floor that adds visible mass would break "sum 1".
                   if (floor * static_cast<double>(tokens) > 1e-7) map /= map.sum();
                 }
               });
}

}  // namespace diffseg::detail
