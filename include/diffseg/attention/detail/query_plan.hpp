// SPDX-License-Identifier: MIT
// Which coarse queries serve which working queries, and in what order to visit these.
#pragma once

#include <memory>
#include <numeric>
#include <tuple>
#include <vector>

#include "diffseg/math/resample.hpp"

namespace diffseg::detail {

/// Of grids of queries, the coarsest first.
struct QueryPlan {
  std::vector<std::vector<Index>> sources;  ///< [grids][T] the first query that feeds each
  std::vector<Index> order;                 ///< [T] those with the same coarse sources together

  QueryPlan(GridSize grid, const std::vector<GridSize>& queries, Resampling along_queries)
      : order(static_cast<std::size_t>(grid.cells())) {
    for (const GridSize& coarse : queries) {
      sources.push_back(find_sources(grid, coarse, along_queries));
    }
    std::iota(order.begin(), order.end(), Index{0});
    // A radix sort with the coarsest grid as the highest digit.
    std::vector<Index> sorted(order.size());
    for (std::size_t i = queries.size(); i-- > 0;) {
      std::vector<std::size_t> starts(static_cast<std::size_t>(queries[i].cells()) + 1, 0);
      const auto digit = [&](Index token) {
        return static_cast<std::size_t>(sources[i][static_cast<std::size_t>(token)]);
      };
      for (const Index token : order) ++starts[digit(token) + 1];
      std::partial_sum(starts.begin(), starts.end(), starts.begin());
      for (const Index token : order) sorted[starts[digit(token)]++] = token;
      order.swap(sorted);
    }
  }

 private:
  static std::vector<Index> find_sources(GridSize grid, GridSize coarse, Resampling mode) {
    const AxisResampler<float> rows(coarse.height, grid.height, mode);
    const AxisResampler<float> columns(coarse.width, grid.width, mode);
    std::vector<Index> sources;
    sources.reserve(static_cast<std::size_t>(grid.cells()));
    for (Index y = 0; y < grid.height; ++y) {
      for (Index x = 0; x < grid.width; ++x) {
        sources.push_back(rows.first(y) * coarse.width + columns.first(x));
      }
    }
    return sources;
  }
};

/// The plan of these arguments, built once per process (the 16 used last are kept).
[[nodiscard]] inline std::shared_ptr<const QueryPlan> cached_query_plan(
    GridSize grid, const std::vector<GridSize>& queries, Resampling along_queries) {
  using Key = std::tuple<GridSize, std::vector<GridSize>, Resampling>;
  static Cache<Key, QueryPlan> cache(16);
  return cache.get({grid, queries, along_queries},
                   [&] { return QueryPlan(grid, queries, along_queries); });
}

}  // namespace diffseg::detail
