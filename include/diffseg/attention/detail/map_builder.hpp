// SPDX-License-Identifier: MIT
// Aggregate's inner part: one map after the other, sharing what coarse queries have in common.
#pragma once

#include <algorithm>
#include <list>
#include <memory>
#include <vector>

#include "diffseg/attention/detail/layer_rows.hpp"
#include "diffseg/attention/detail/query_plan.hpp"
#include "diffseg/core/streaming_store.hpp"

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

  /// `along_queries` is Resampling::repeat or, to leave queries unread, Resampling::sample.
  LayerGroup(GridSize query_grid, GridSize key_grid, GridSize grid, Resampling along_queries)
      : queries(query_grid),
        keys(key_grid),
        to_grid(cached_resampler<Scalar>(key_grid, grid, Resampling::mass)),
        from_grid(cached_resampler<Scalar>(query_grid, grid, along_queries)) {}

  /// What one thread needs: buffers [keys], and of `head` what the rows ask for.
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

/// Coarse queries first, so that what many working queries share is computed first and once.
template <class Scalar>
using LayerGroups = std::list<LayerGroup<Scalar>>;

/// The group of these grids in `groups`, made in its place when missing.
template <class Scalar>
LayerGroup<Scalar>& find_group(LayerGroups<Scalar>& groups, const Layer& layer, GridSize grid,
                               Resampling along_queries) {
  auto place = groups.begin();
  for (; place != groups.end() && place->queries.cells() <= layer.queries.cells(); ++place) {
    if (place->queries == layer.queries && place->keys == layer.keys) return *place;
  }
  return *groups.emplace(place, layer.queries, layer.keys, grid, along_queries);
}

/// Sums the groups for one working query after the other, keeping what the next one shares.
template <class Scalar>
class MapBuilder {
 public:
  /// What one thread needs.
  struct Scratch {
    std::vector<Index> sources;           // [groups] of the sums in `partial`
    std::vector<Buffer<Scalar>> partial;  // [groups] sums of the groups up to this one
    typename LayerGroup<Scalar>::Scratch group;
    Buffer<Scalar> resampling;
    Buffer<Scalar> map;  // [T] on its way past the caches
  };

  /// All must outlive this.
  MapBuilder(const LayerGroups<Scalar>& groups, GridSize grid, const QueryPlan& plan)
      : grid_(grid), plan_(plan) {
    for (const auto& group : groups) groups_.push_back(&group);
  }

  /// Makes a scratch of other groups fit; it knows no sum then.
  void prepare(Scratch& scratch) const {
    scratch.sources.assign(groups_.size(), unknown);
    if (scratch.partial.size() < groups_.size()) scratch.partial.resize(groups_.size());
    for (auto& partial : scratch.partial) make_room(partial, grid_.cells());
    make_room(scratch.map, grid_.cells());
    for (const auto* group : groups_) {
      auto& buffers = scratch.group;
      for (auto* buffer : {&buffers.sum, &buffers.row, &buffers.mean}) {
        make_room(*buffer, group->keys.cells());
      }
      for (const auto& member : group->members) make_room(buffers.head, member.rows.head_room());
      make_room(scratch.resampling, group->to_grid->scratch_size());
    }
  }

  /// out [T] = the sum of all groups for working query `token`; may be the last group's own row.
  void build(Index token, Scalar* out, Scratch& scratch) const {
    auto& sources = scratch.sources;
    auto& partial = scratch.partial;
    std::size_t next = 0;
    while (next < groups_.size() && sources[next] != unshared &&
           sources[next] == source(next, token)) {
      ++next;
    }
    for (; next < groups_.size(); ++next) {
      sources[next] = source(next, token);
      // The last sum goes straight to its place unless the next query may want it too.
      const bool last = next + 1 == groups_.size() && sources[next] == unshared;
      add(*groups_[next], token, next == 0 ? nullptr : partial[next - 1].data(),
          last ? out : partial[next].data(), scratch);
      if (last) return;
    }
    std::copy_n(partial[groups_.size() - 1].data(), grid_.cells(), out);
  }

 private:
  static constexpr Index unshared = -1;
  static constexpr Index unknown = -2;

  /// What decides whether the sum up to group `index` can serve `token`.
  [[nodiscard]] Index source(std::size_t index, Index token) const {
    const auto& group = *groups_[index];
    const bool shared = group.queries.cells() < grid_.cells() &&
                        group.from_grid->vertical().taps() == 1 &&
                        group.from_grid->horizontal().taps() == 1;
    return shared ? plan_.sources[index][static_cast<std::size_t>(token)] : unshared;
  }

  /// out [T] = base [T] (or nothing) + one group.
  void add(const LayerGroup<Scalar>& group, Index token, const Scalar* base, Scalar* out,
           Scratch& scratch) const {
    const Scalar* row = group.working_row(grid_, token, scratch.group);
    if (group.keys != grid_) {
      group.to_grid->apply(row, base, out, scratch.resampling.data());
    } else if (base != nullptr) {
      for_packets<Scalar>(grid_.cells(), [&](Index i, auto step) {
        using P = StepOf<decltype(step), Scalar>;
        using namespace Eigen::internal;
        pstoreu(out + i, padd(ploadu<P>(base + i), ploadu<P>(row + i)));
      });
    } else if (row != out) {
      std::copy_n(row, grid_.cells(), out);
    }
  }

  std::vector<const LayerGroup<Scalar>*> groups_;
  GridSize grid_;
  const QueryPlan& plan_;
};

/// What build_maps works with: a scratch for each thread.
template <class Scalar>
using MapScratch = std::vector<typename MapBuilder<Scalar>::Scratch>;

/// out [count] = factor * row, at least `least`; past the caches if they are told to `stream`.
template <class Scalar>
void scale_row(const Scalar* row, Scalar factor, Scalar least, Index count, Scalar* out,
               bool stream = false) {
  using namespace Eigen::internal;
  const auto scaled = [=](Index i, auto step) {
    using P = StepOf<decltype(step), Scalar>;
    return pmax(pmul(ploadu<P>(row + i), pset1<P>(factor)), pset1<P>(least));
  };
  if (stream) {
    for (Index i = 0; i < count; i += packet_size<Scalar>) {
      stream_packet(out + i, scaled(i, InPackets{}));
    }
  } else {
    for_packets<Scalar>(count, [&](Index i, auto step) { pstoreu(out + i, scaled(i, step)); });
  }
}

/// rows [T x T] = factor * the sum of all groups, at least `floor`. `rows` may hold the last
/// group's sums: a row is read before it is written, and by its own query alone. `along_queries` is
/// that of the groups.
template <class Scalar>
void build_maps(const LayerGroups<Scalar>& groups, GridSize grid, Resampling along_queries,
                double factor, double floor, Matrix<Scalar>& rows, MapScratch<Scalar>& kept) {
  std::vector<GridSize> queries;
  for (const auto& group : groups) queries.push_back(group.queries);
  const auto plan = cached_query_plan(grid, queries, along_queries);
  const MapBuilder<Scalar> builder(groups, grid, *plan);
  const Index tokens = grid.cells();
  const auto least = static_cast<Scalar>(floor);
  // A floor that adds visible mass would break "sum 1".
  const bool visible = floor * static_cast<double>(tokens) > 1e-7;
  // Maps that no cache holds are not read first, and leave what is read there.
  constexpr Index cached = Index{1} << 23;
  const bool stream = tokens * tokens > cached && is_streamable(rows.data(), tokens);
  constexpr Index piece = 64;
  const auto build = [&](Index index, typename MapBuilder<Scalar>::Scratch& scratch) {
    for (Index i = index * piece; i < std::min((index + 1) * piece, tokens); ++i) {
      const Index token = plan->order[static_cast<std::size_t>(i)];
      Scalar* const row = rows.data() + token * tokens;
      Scalar* const made = stream ? scratch.map.data() : row;
      builder.build(token, made, scratch);
      if (visible) {
        scale_row(made, static_cast<Scalar>(factor), least, tokens, made);
        scale_row(made, 1 / sum_of(made, tokens), Scalar(0), tokens, row, stream);
      } else {
        scale_row(made, static_cast<Scalar>(factor), least, tokens, row, stream);
      }
    }
    if (stream) finish_streaming();
  };
  parallel_for((tokens + piece - 1) / piece, kept, [&](auto& scratch) { builder.prepare(scratch); },
               build);
}

}  // namespace diffseg::detail
