// SPDX-License-Identifier: MIT
// The rows of one attention layer, whatever it is made of, summed over heads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "diffseg/attention/detail/head_sum.hpp"
#include "diffseg/attention/detail/refusals.hpp"
#include "diffseg/attention/detail/softmax_products.hpp"
#include "diffseg/attention/detail/sparse_rows.hpp"

namespace diffseg::detail {

/// out [count] = scale * row, or out += scale * row.
template <class Scalar>
void add_scaled(const Scalar* row, Scalar scale, Index count, bool first, Scalar* out) {
  for_packets<Scalar>(count, [&](Index i, auto step) {
    using P = StepOf<decltype(step), Scalar>;
    using namespace Eigen::internal;
    const P factor = pset1<P>(scale);
    const P value = ploadu<P>(row + i);
    pstoreu(out + i, first ? pmul(factor, value)
                           : multiply_add_packet<P>(factor, value, ploadu<P>(out + i)));
  });
}

/// Columns of a row that are copied together where they are not aligned; whole packets.
inline constexpr Index unaligned_columns = 256;

/// Numbers of Scalar that hold so many columns of all heads; 0 where the layer needs no copy.
template <class Scalar>
[[nodiscard]] Index unaligned_room(const Layer& layer) {
  if (layer.kind != LayerKind::probabilities || is_aligned(layer.type, layer.data)) return 0;
  constexpr Index number = sizeof(Scalar);
  const Index columns = std::min(layer.keys.cells(), unaligned_columns);
  return (layer.heads * columns * element_bytes(layer.type) + number - 1) / number;
}

/// Reads rows [keys] of a layer: for every query the sum over heads, a distribution up to a factor.
template <class Scalar>
class LayerRows {
 public:
  /// What one thread needs.
  struct Scratch {
    Buffer<Scalar> row;   // [keys]
    Buffer<Scalar> head;  // [head_room()]
    SoftmaxProducts<Scalar> products;
    Buffer<Scalar> rows;  // [block x keys] made by products
  };

  /// The layer must outlive this.
  explicit LayerRows(const LayerSource& source)
      : layer_(source.layer), source_(source), keys_(layer_->keys.cells()), sparse_(source) {}

  /// Queries that are best read together: a packet's worth of products, or enough for a task.
  [[nodiscard]] Index block() const {
    return layer_->kind == LayerKind::queries_keys ? SoftmaxProducts<Scalar>::block : 16;
  }

  [[nodiscard]] Scratch make_scratch() const {
    Scratch scratch;
    prepare(scratch);
    return scratch;
  }

  /// Numbers of scratch that read_row needs: two rows, and some columns of all heads where they are
  /// not aligned.
  [[nodiscard]] Index head_room() const { return 2 * keys_ + unaligned_room<Scalar>(*layer_); }

  /// Makes a scratch of another layer fit.
  void prepare(Scratch& scratch) const {
    make_room(scratch.row, keys_);
    make_room(scratch.head, head_room());
    if (layer_->kind != LayerKind::queries_keys) return;
    scratch.products.resize(keys_, layer_->depth);
    make_room(scratch.rows, block() * keys_);
  }

  /// Calls use(query, row [keys]) for the queries begin .. end - 1, at most block() of them.
  template <class Use>
  void read(Index begin, Index end, Scratch& scratch, const Use& use) const {
    if (layer_->kind == LayerKind::queries_keys) {
      multiply(begin, end, scratch);
      for (Index query = begin; query < end; ++query) {
        use(query, scratch.rows.data() + (query - begin) * keys_);
      }
      return;
    }
    for (Index query = begin; query < end; ++query) {
      use(query, read_row(query, scratch.row.data(), scratch.head.data()));
    }
  }

  /// One row of probabilities, sparse or not, or scores: `row` [keys], filled; `head` is
  /// scratch [head_room()].
  const Scalar* read_row(Index query, Scalar* row, Scalar* head) const {
    if (layer_->kind == LayerKind::sparse) return scatter_heads(query, row, head);
    const bool plain = layer_->kind == LayerKind::probabilities && !layer_->partial &&
                       layer_->head_weights.empty();
    if (plain) {
      sum_heads(query, 0, layer_->heads, row, head + 2 * keys_);
      return row;
    }
    bool first = true;
    for (Index i = 0; i < layer_->heads; ++i) {
      Scalar weight = head_weight(*layer_, i);
      if (weight == Scalar(0)) continue;
      if (layer_->kind == LayerKind::scores) {
        weight /= soften(query, i, head);
      } else {
        sum_heads(query, i, 1, head, head + 2 * keys_);
        if (layer_->partial) weight /= mass(query, head);
      }
      add_scaled(head, weight, keys_, first, row);
      first = false;
    }
    return row;
  }

  /// The sum of a row, weighted by `sums` [keys]; it must be a number to divide by.
  [[nodiscard]] Scalar total(Index query, const Scalar* row, const Scalar* sums) const {
    return checked(query, dot_of(row, sums, keys_));
  }

 private:
  static Scalar head_weight(const Layer& layer, Index head) {
    if (layer.head_weights.empty()) return Scalar(1);
    return static_cast<Scalar>(layer.head_weights[static_cast<std::size_t>(head)]);
  }

  /// `room`: where numbers that are not aligned are copied to, some columns of all heads at a time.
  void sum_heads(Index query, Index head, Index count, Scalar* out, Scalar* room) const {
    const ElementType type = layer_->type;
    const Index step = layer_->head_step();
    const Index offset = head * step + query * layer_->query_step();
    const bool aligned = is_aligned(type, layer_->data);
    const Index most = aligned ? keys_ : unaligned_columns;
    bool sound = true;
    for (Index first = 0; first < keys_; first += most) {
      const Index some = std::min(most, keys_ - first);
      const void* const rows = aligned ? advanced(layer_->data, offset, type)
                                       : copied(offset + first, count, some, room);
      sound &= visit_elements(type, rows, [&](const auto* numbers) {
        return head_sum(numbers, aligned ? step : some, count, some, out + first);
      });
    }
    if (!sound) refuse_invalid(source_, query);
  }

  /// room [heads x count] = the numbers from `offset` on of so many heads.
  const void* copied(Index offset, Index heads, Index count, Scalar* room) const {
    const Index bytes = count * element_bytes(layer_->type);
    for (Index i = 0; i < heads; ++i) {
      std::memcpy(reinterpret_cast<std::byte*>(room) + i * bytes,
                  advanced(layer_->data, offset + i * layer_->head_step(), layer_->type),
                  static_cast<std::size_t>(bytes));
    }
    return room;
  }

  /// Heads in the order of sum_heads, so that rows that store all their numbers have its bits.
  const Scalar* scatter_heads(Index query, Scalar* row, Scalar* scratch) const {
    std::fill_n(row, keys_, Scalar(0));
    Scalar everywhere = 0;  // what all keys get, those that are stored included
    for (Index i = 0; i < layer_->heads; ++i) {
      Scalar weight = head_weight(*layer_, i);
      if (weight == Scalar(0)) continue;
      const auto stored = sparse_.read(i, query, scratch, scratch + keys_);
      if (layer_->partial) weight /= checked(query, sparse_.mass(stored));
      const Scalar share = sparse_.share_of_rest(stored);
      sparse_.add(stored, weight, share, row);
      everywhere += weight * share;
    }
    if (everywhere > Scalar(0)) {
      for (Index i = 0; i < keys_; ++i) row[i] = std::max(row[i] + everywhere, Scalar(0));
    }
    return row;
  }

  [[nodiscard]] Scalar mass(Index query, const Scalar* row) const {
    return checked(query, sum_of(row, keys_));
  }

  /// A subnormal sum has lost its digits, and its inverse may be infinite.
  [[nodiscard]] Scalar checked(Index query, Scalar sum) const {
    constexpr Scalar least = std::numeric_limits<Scalar>::min();
    if (sum >= least && is_finite(sum)) return sum;
    source_.refuse_at({"the attention of a query must have a positive finite sum, at least ", least,
                       ", got ", sum},
                      ", query ", query);
  }

  /// out [keys] = exp(scores - the largest); returns their sum.
  Scalar soften(Index query, Index head, Scalar* out) const {
    read_numbers(layer_->type, layer_->data,
                 head * layer_->head_step() + query * layer_->query_step(), keys_, out);
    refuse_invalid_scores(query, head, out);
    const Scalar most = *std::max_element(out, out + keys_);
    if (!is_finite(most)) {
      source_.refuse_at({"a row of scores must not be all -infinity"}, ", head ", head, ", query ",
                        query);
    }
    map_packets(out, keys_, out, [most](const Packet<Scalar>& score) {
      using namespace Eigen::internal;
      return pexp(psub(score, pset1<Packet<Scalar>>(most)));
    });
    return sum_of(out, keys_);
  }

  void refuse_invalid_scores(Index query, Index head, const Scalar* scores) const {
    Index sound = 0;  // no early exit, so that it runs in packets
    for (Index i = 0; i < keys_; ++i) {
      sound += Index{is_finite(scores[i])} + Index{is_masked(scores[i])};
    }
    for (Index i = 0; sound < keys_ && i < keys_; ++i) {
      if (is_finite(scores[i]) || is_masked(scores[i])) continue;
      source_.refuse_at({"scores must be finite or -infinity, got ", scores[i]}, ", head ", head,
                        ", query ", query, ", key ", i);
    }
  }

  /// -infinity, by its bits.
  static bool is_masked(Scalar value) {
    return bits_of(value) == bits_of(-std::numeric_limits<Scalar>::infinity());
  }

  /// Fills scratch.rows with those of the queries begin .. end - 1.
  void multiply(Index begin, Index end, Scratch& scratch) const {
    const double scale =
        layer_->scale > 0 ? layer_->scale : 1 / std::sqrt(static_cast<double>(layer_->depth));
    scratch.products.clear();
    for (Index head = 0; head < layer_->heads; ++head) {
      const Scalar weight = head_weight(*layer_, head);
      if (weight == Scalar(0)) continue;
      const Index first = head * layer_->head_step() + begin * layer_->query_step();
      scratch.products.add(layer_->type, {layer_->data, first, layer_->query_step()}, end - begin,
                           static_cast<Scalar>(scale),
                           {layer_->key_data, head * layer_->key_head_step(), layer_->key_step()},
                           weight);
    }
    scratch.products.write(end - begin, scratch.rows.data(), keys_);
  }

  const Layer* layer_;
  LayerSource source_;
  Index keys_;
  SparseRows<Scalar> sparse_;
};

}  // namespace diffseg::detail
