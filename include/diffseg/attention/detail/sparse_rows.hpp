// SPDX-License-Identifier: MIT
// The rows of a sparse layer: where they lie, what is refused, and how they become dense.
#pragma once

#include <algorithm>
#include <cstddef>

#include "diffseg/attention/detail/scatter_row.hpp"
#include "diffseg/attention/layer_parts.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/data/layer.hpp"

namespace diffseg::detail {

/// Reads one head's row for one query at a time, in time that goes with the numbers it stores.
template <class Scalar>
class SparseRows {
 public:
  /// `index` and `stage` go into messages. The layer must outlive this.
  SparseRows(const Layer& layer, std::size_t index, const char* stage)
      : layer_(&layer), index_(index), stage_(stage) {}

  /// Refuses keys out of range or repeated and numbers that no attention can hold, naming the
  /// first; `marks` [keys] is scratch.
  void check(Index head, Index query, Scalar* marks) const {
    visit(head, query, [&](const auto* values, const auto* columns, Index count) {
      if (!is_ascending(columns, count, layer_->keys.cells())) {
        check_columns(head, query, columns, count, marks);
      }
      if (is_plain_attention(values, count)) return;
      for (Index i = 0; i < count; ++i) {
        require(!is_invalid_attention(values[i]), stage_,
                ": attention must be finite and >= 0, got ", static_cast<double>(values[i]),
                " at layer ", index_, ", head ", head, ", query ", query, ", key ", columns[i]);
      }
    });
  }

  /// The sum of what is stored.
  [[nodiscard]] Scalar mass(Index head, Index query) const {
    Scalar sum = 0;
    visit(head, query, [&](const auto* values, const auto*, Index count) {
      for (Index i = 0; i < count; ++i) sum += converted<Scalar>(values[i]);
    });
    return sum;
  }

  /// What each key that is not stored gets of what the row lacks of sum 1; 0 unless the layer says
  /// that it is spread. Rounding may take a row of half precision a little above 1.
  [[nodiscard]] Scalar share_of_rest(Index head, Index query) const {
    const Index row = head * layer_->queries.cells() + query;
    const Index missing =
        layer_->keys.cells() - (layer_->row_starts[row + 1] - layer_->row_starts[row]);
    if (!layer_->spread_rest || missing == 0) return Scalar(0);
    const Scalar sum = mass(head, query);
    require(sum <= Scalar(1.01), stage_,
            ": rows with spread_rest must sum to at most 1 (to 1 %), got ", sum, " at layer ",
            index_, ", head ", head, ", query ", query);
    return std::max(Scalar(0), 1 - sum) / static_cast<Scalar>(missing);
  }

  /// row [keys] += weight * (what is stored - base), where it is stored. Requires check().
  void add(Index head, Index query, Scalar weight, Scalar base, Scalar* row) const {
    visit(head, query, [&](const auto* values, const auto* columns, Index count) {
      scatter_row(values, columns, count, weight, base, row);
    });
  }

 private:
  template <class Body>
  void visit(Index head, Index query, const Body& body) const {
    const Index row = head * layer_->queries.cells() + query;
    const Index begin = layer_->row_starts[row];
    const Index count = layer_->row_starts[row + 1] - begin;
    visit_elements(*layer_, [&](const auto* values) {
      visit_columns(*layer_,
                    [&](const auto* columns) { body(values + begin, columns + begin, count); });
    });
  }

  /// For columns in any order: each in range, none marked twice.
  template <class Column>
  void check_columns(Index head, Index query, const Column* columns, Index count,
                     Scalar* marks) const {
    for (Index i = 0; i < count; ++i) {
      require(columns[i] >= 0 && static_cast<Index>(columns[i]) < layer_->keys.cells(), stage_,
              ": columns of a sparse layer must be keys in 0 .. ", layer_->keys.cells() - 1,
              ", got ", columns[i], " at layer ", index_, ", head ", head, ", query ", query);
      marks[columns[i]] = Scalar(0);
    }
    for (Index i = 0; i < count; ++i) {
      require(marks[columns[i]] == Scalar(0), stage_,
              ": a row of a sparse layer must have each key once, got it again at layer ", index_,
              ", head ", head, ", query ", query, ", key ", columns[i]);
      marks[columns[i]] = Scalar(1);
    }
  }

  const Layer* layer_;
  std::size_t index_;
  const char* stage_;
};

}  // namespace diffseg::detail
