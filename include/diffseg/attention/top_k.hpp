// SPDX-License-Identifier: MIT
// Dense attention made sparse: the largest numbers of every row.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "diffseg/attention/detail/layer_checks.hpp"
#include "diffseg/attention/detail/scatter_row.hpp"
#include "diffseg/core/bits.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/data/layer.hpp"

namespace diffseg {

namespace detail {

/// Finds the largest numbers of one row after the other.
template <class Element>
class LargestNumbers {
 public:
  using Number = std::conditional_t<std::is_same_v<Element, double>, double, float>;

  explicit LargestNumbers(Index keys) : numbers_(static_cast<std::size_t>(keys)) {}

  /// How many of the largest numbers of `row` sum to `share` of all.
  Index count_for(const Element* row, double share) {
    load(row);
    double total = 0;
    for (const Number number : numbers_) total += static_cast<double>(number);
    double sum = 0;
    Index kept = 0;
    // The largest few, sorted, then twice as many: most rows need no more than a few.
    Index sorted = 0;
    while (kept < count() && sum < share * total) {
      if (kept == sorted) sorted = sort_some(sorted, std::max(Index{32}, sorted));
      sum += static_cast<double>(numbers_[static_cast<std::size_t>(kept++)]);
    }
    return kept;
  }

  /// Calls keep(key) for the k largest numbers of `row`, keys ascending; of equals the first.
  template <class Keep>
  void select(const Element* row, Index k, const Keep& keep) {
    if (k == 0) return;
    load(row);
    std::nth_element(numbers_.begin(), numbers_.begin() + (k - 1), numbers_.end(),
                     std::greater<>());
    const Number least = numbers_[static_cast<std::size_t>(k - 1)];
    const auto larger = std::count_if(numbers_.begin(), numbers_.begin() + k,
                                      [&](Number number) { return number > least; });
    Index equals = k - static_cast<Index>(larger);
    for (Index key = 0; key < count(); ++key) {
      const Number number = converted<Number>(row[key]);
      if (number > least || (number == least && equals-- > 0)) keep(key);
    }
  }

 private:
  [[nodiscard]] Index count() const { return static_cast<Index>(numbers_.size()); }

  void load(const Element* row) {
    for (std::size_t i = 0; i < numbers_.size(); ++i) numbers_[i] = converted<Number>(row[i]);
  }

  /// Sorts the next `some` numbers after the first `sorted`; returns how many are sorted now.
  Index sort_some(Index sorted, Index some) {
    const auto begin = numbers_.begin() + sorted;
    const auto end = numbers_.begin() + std::min(count(), sorted + some);
    if (end != numbers_.end()) std::nth_element(begin, end, numbers_.end(), std::greater<>());
    std::sort(begin, end, std::greater<>());
    return static_cast<Index>(end - numbers_.begin());
  }

  std::vector<Number> numbers_;
};

/// Calls body(row of all heads' queries, its numbers [keys], scratch) for every row, in parallel.
template <class Element, class Body>
void for_rows(const Layer& layer, const Element* data, const Body& body) {
  const Index queries = layer.queries.cells();
  constexpr Index piece = 16;
  const Index rows = layer.heads * queries;
  parallel_for(
      (rows + piece - 1) / piece, [&] { return LargestNumbers<Element>(layer.keys.cells()); },
      [&](Index index, LargestNumbers<Element>& scratch) {
        for (Index row = index * piece; row < std::min(rows, (index + 1) * piece); ++row) {
          body(row, data + row / queries * layer.head_step() + row % queries * layer.query_step(),
               scratch);
        }
      });
}

/// The sparse layer of the starts[row + 1] - starts[row] largest numbers of each row.
template <class Element>
Layer largest_of(const Layer& layer, const Element* data, std::vector<Index> starts) {
  std::vector<Element> values(static_cast<std::size_t>(starts.back()));
  std::vector<std::int32_t> columns(values.size());
  for_rows(layer, data, [&](Index row, const Element* numbers, LargestNumbers<Element>& scratch) {
    auto place = static_cast<std::size_t>(starts[static_cast<std::size_t>(row)]);
    const Index count = starts[static_cast<std::size_t>(row) + 1] - static_cast<Index>(place);
    scratch.select(numbers, count, [&](Index key) {
      values[place] = numbers[key];
      columns[place++] = static_cast<std::int32_t>(key);
    });
  });
  Layer result = Layer::owning(std::move(values), std::move(columns), std::move(starts),
                               layer.heads, layer.queries);
  result.keys = layer.keys;
  result.partial = layer.partial;
  result.head_weights = layer.head_weights;
  return result;
}

/// Refuses what has no rows to choose from.
inline void check_dense(const Layer& layer, const char* stage) {
  check_layer(layer, 0, stage);
  require(layer.kind == LayerKind::probabilities, stage,
          ": the layer must hold dense probabilities; of scores take their soft-max first");
  require(layer.keys.cells() <= std::numeric_limits<std::int32_t>::max(), stage,
          ": a layer must have at most 2147483647 keys, got ", layer.keys.cells());
}

/// Refuses numbers that no attention can hold.
template <class Element>
void check_numbers(const Layer& layer, const Element* data, const char* stage) {
  for_rows(layer, data, [&](Index row, const Element* numbers, auto&) {
    if (is_plain_attention(numbers, layer.keys.cells())) return;
    refuse_invalid(layer, 0, row % layer.queries.cells(), stage);
  });
}

}  // namespace detail

/// The k largest numbers of every row of a dense layer [heads, queries, keys], of equals those of
/// the lowest keys, as a sparse layer that keeps them: k * (bytes of a number + 4) + 8 bytes a row
/// instead of keys * bytes of a number. The same for any number of threads. Rows of sum 1 are then
/// best used with `spread_rest`: with 64 numbers of 4096, 256 and 1024 the labels of the golden
/// case coffee have an adjusted Rand index of 0.72, 0.87 and 0.95 with those of all numbers, and of
/// 0.48, 0.85 and 0.97 with zeros and Aggregate::floor at 1e-9. Throws std::invalid_argument for k
/// outside 1 .. keys, other kinds of layers, and numbers that no attention can hold.
template <std::integral Count>  // a template costs compile time only where it is called
[[nodiscard]] Layer top_k(const Layer& layer, Count k) {
  detail::check_dense(layer, "top_k");
  detail::require(std::in_range<Index>(k) && k >= 1 && static_cast<Index>(k) <= layer.keys.cells(),
                  "top_k: k must be in 1 .. ", layer.keys.cells(), ", got ", k);
  return detail::visit_elements(layer, [&](const auto* data) {
    detail::check_numbers(layer, data, "top_k");
    std::vector<Index> starts(static_cast<std::size_t>(layer.heads * layer.queries.cells()) + 1);
    for (std::size_t row = 1; row < starts.size(); ++row) {
      starts[row] = starts[row - 1] + static_cast<Index>(k);
    }
    return detail::largest_of(layer, data, std::move(starts));
  });
}

/// Like top_k with as many numbers of each row as sum to `share` of it, in (0, 1]; 1: all but
/// zeros, up to rounding. Throws std::invalid_argument for other shares, and as top_k.
template <class Share>
requires std::is_arithmetic_v<Share>
[[nodiscard]] Layer keep_mass(const Layer& layer, Share share) {
  detail::check_dense(layer, "keep_mass");
  detail::require(share > 0 && share <= 1, "keep_mass: share must be in (0, 1], got ", share);
  return detail::visit_elements(layer, [&](const auto* data) {
    detail::check_numbers(layer, data, "keep_mass");
    std::vector<Index> starts(static_cast<std::size_t>(layer.heads * layer.queries.cells()) + 1);
    detail::for_rows(layer, data, [&](Index row, const auto* numbers, auto& scratch) {
      starts[static_cast<std::size_t>(row) + 1] =
          scratch.count_for(numbers, static_cast<double>(share));
    });
    for (std::size_t row = 1; row < starts.size(); ++row) starts[row] += starts[row - 1];
    return detail::largest_of(layer, data, std::move(starts));
  });
}

}  // namespace diffseg
