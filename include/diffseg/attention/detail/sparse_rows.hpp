// SPDX-License-Identifier: MIT
// The rows of a sparse layer: where they lie, what is refused, and how they become dense.
#pragma once

#include <algorithm>
#include <cstdint>

#include "diffseg/attention/detail/numbers.hpp"
#include "diffseg/data/layer.hpp"

namespace diffseg::detail {

/// The columns [count] ascend strictly within 0 .. bound - 1.
template <class Column>
[[nodiscard]] bool is_ascending(const Column* columns, Index count, Index bound) {
  if (count == 0) return true;
  bool sound = columns[0] >= 0 && static_cast<Index>(columns[count - 1]) < bound;
  for (Index i = 1; i < count; ++i) sound &= columns[i - 1] < columns[i];
  return sound;
}

/// row[columns[i]] += weight * (values[i] - base), with base 0 rounded as head_sum and packets of a
/// dense row round. Columns lie within the row, each once.
template <class Column, class Scalar>
void scatter_row(const Scalar* values, const Column* columns, Index count, Scalar weight,
                 Scalar base, Scalar* row) {
  for (Index i = 0; i < count; ++i) {
    Scalar& place = row[columns[i]];
    place = multiply_add(weight, values[i] - base, place);
  }
}

/// Reads one head's row for one query at a time, in time that goes with the numbers it stores.
template <class Scalar>
class SparseRows {
 public:
  /// One row at hand.
  struct Row {
    Index head, query;
    Index begin, count;    ///< of its numbers among those of the layer
    const Scalar* values;  ///< [count]
  };

  /// The layer must outlive this.
  explicit SparseRows(const LayerSource& source) : layer_(source.layer), source_(source) {}

  /// A row that is attention: keys in range, none twice, numbers finite and >= 0; else the first
  /// that is not is named. `values` and `marks` [keys] are scratch.
  [[nodiscard]] Row read(Index head, Index query, Scalar* values, Scalar* marks) const {
    const Index at = head * layer_->queries.cells() + query;
    const Index begin = layer_->row_starts[at];
    Row row{head, query, begin, layer_->row_starts[at + 1] - begin, nullptr};
    visit_columns(row, [&](const auto* columns) {
      if (!is_ascending(columns, row.count, layer_->keys.cells())) {
        check_columns(row, columns, marks);
      }
    });
    check_numbers(row);
    row.values = as_numbers(layer_->type, layer_->data, begin, row.count, values);
    return row;
  }

  /// The sum of what is stored.
  [[nodiscard]] static Scalar mass(const Row& row) {
    Scalar sum = 0;
    for (Index i = 0; i < row.count; ++i) sum += row.values[i];
    return sum;
  }

  /// What each key that is not stored gets of what the row lacks of sum 1; 0 unless the layer says
  /// that it is spread. Rounding may take a row of half precision a little above 1.
  [[nodiscard]] Scalar share_of_rest(const Row& row) const {
    const Index missing = layer_->keys.cells() - row.count;
    if (!layer_->spread_rest || missing == 0) return Scalar(0);
    const Scalar sum = mass(row);
    if (!(sum <= Scalar(1.01))) {
      source_.refuse_at({"rows with spread_rest must sum to at most 1 (to 1 %), got ", sum},
                        ", head ", row.head, ", query ", row.query);
    }
    return std::max(Scalar(0), 1 - sum) / static_cast<Scalar>(missing);
  }

  /// out [keys] += weight * (what is stored - base), where it is stored.
  void add(const Row& row, Scalar weight, Scalar base, Scalar* out) const {
    visit_columns(row, [&](const auto* columns) {
      scatter_row(row.values, columns, row.count, weight, base, out);
    });
  }

 private:
  template <class Body>
  void visit_columns(const Row& row, const Body& body) const {
    if (layer_->column_type == Layer::Columns::i64) {
      body(static_cast<const std::int64_t*>(layer_->columns) + row.begin);
    } else {
      body(static_cast<const std::int32_t*>(layer_->columns) + row.begin);
    }
  }

  void check_numbers(const Row& row) const {
    const Index bad = find_invalid_attention(layer_->type, layer_->data, row.begin, row.count);
    if (bad < 0) return;
    visit_columns(row, [&](const auto* columns) {
      source_.refuse_at({"attention must be finite and >= 0, got ",
                         number_at(layer_->type, layer_->data, row.begin + bad)},
                        ", head ", row.head, ", query ", row.query, ", key ", columns[bad]);
    });
  }

  /// For columns in any order: each in range, none marked twice.
  template <class Column>
  void check_columns(const Row& row, const Column* columns, Scalar* marks) const {
    const Index keys = layer_->keys.cells();
    for (Index i = 0; i < row.count; ++i) {
      if (columns[i] < 0 || static_cast<Index>(columns[i]) >= keys) {
        source_.refuse_at(
            {"columns of a sparse layer must be keys in 0 .. ", keys - 1, ", got ", columns[i]},
            ", head ", row.head, ", query ", row.query);
      }
      marks[columns[i]] = Scalar(0);
    }
    for (Index i = 0; i < row.count; ++i) {
      if (marks[columns[i]] != Scalar(0)) {
        source_.refuse_at({"a row of a sparse layer must have each key once, got it again"},
                          ", head ", row.head, ", query ", row.query, ", key ", columns[i]);
      }
      marks[columns[i]] = Scalar(1);
    }
  }

  const Layer* layer_;
  LayerSource source_;
};

}  // namespace diffseg::detail
