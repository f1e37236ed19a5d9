// SPDX-License-Identifier: MIT
// The rows of one attention layer, whatever it is made of, summed over heads.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "diffseg/attention/detail/head_sum.hpp"
#include "diffseg/attention/detail/softmax_products.hpp"
#include "diffseg/attention/detail/sparse_rows.hpp"
#include "diffseg/attention/layer_parts.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/core/packet.hpp"
#include "diffseg/data/layer.hpp"

namespace diffseg::detail {

/// out [count] = scale * row, or out += scale * row; by packets, so that the bits are the same
/// wherever it is called.
template <class Scalar>
void add_scaled(const Scalar* row, Scalar scale, Index count, bool first, Scalar* out) {
  using namespace Eigen::internal;
  using Lanes = Packet<Scalar>;
  constexpr Index lanes = packet_size<Scalar>;
  const Lanes factor = pset1<Lanes>(scale);
  Index i = 0;
  for (; i + lanes <= count; i += lanes) {
    const Lanes value = ploadu<Lanes>(row + i);
    pstoreu(out + i, first ? pmul(factor, value) : pmadd(factor, value, ploadu<Lanes>(out + i)));
  }
  for (; i < count; ++i) {
    out[i] = first ? scale * row[i] : multiply_add(scale, row[i], out[i]);
  }
}

/// Reads rows [keys] of a layer: for every query the sum over heads, a distribution up to a factor.
template <class Scalar>
class LayerRows {
 public:
  /// What one thread needs.
  struct Scratch {
    Buffer<Scalar> row, head;
    SoftmaxProducts<Scalar> products;
    Buffer<Scalar> rows;  // [block x keys] made by products
  };

  /// `index` and `stage` go into messages. The layer must outlive this.
  LayerRows(const Layer& layer, std::size_t index, const char* stage)
      : layer_(&layer),
        index_(index),
        stage_(stage),
        keys_(layer.keys.cells()),
        sparse_(layer, index, stage) {}

  /// Queries that are best read together: a packet's worth of products, or enough for a task.
  [[nodiscard]] Index block() const {
    return layer_->kind == LayerKind::queries_keys ? SoftmaxProducts<Scalar>::block : 16;
  }

  [[nodiscard]] Scratch make_scratch() const {
    Scratch scratch;
    prepare(scratch);
    return scratch;
  }

  /// Makes a scratch of another layer fit.
  void prepare(Scratch& scratch) const {
    make_room(scratch.row, keys_);
    make_room(scratch.head, keys_);
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

  /// One row of probabilities, sparse or not, or scores: `row`, filled.
  const Scalar* read_row(Index query, Scalar* row, Scalar* head) const {
    if (layer_->kind == LayerKind::sparse) return scatter_heads(query, row, head);
    const bool plain = layer_->kind == LayerKind::probabilities && !layer_->partial &&
                       layer_->head_weights.empty();
    if (plain) {
      sum_heads(query, 0, layer_->heads, row);
      return row;
    }
    bool first = true;
    for (Index i = 0; i < layer_->heads; ++i) {
      Scalar weight = head_weight(*layer_, i);
      if (weight == Scalar(0)) continue;
      if (layer_->kind == LayerKind::scores) {
        weight /= soften(query, i, head);
      } else {
        sum_heads(query, i, 1, head);
        if (layer_->partial) weight /= mass(query, head);
      }
      add_scaled(head, weight, keys_, first, row);
      first = false;
    }
    return row;
  }

  /// The sum of a row, weighted by `sums` [keys]; it must be a number to divide by.
  [[nodiscard]] Scalar total(Index query, const Scalar* row, const Scalar* sums) const {
    using Row = Eigen::Map<const Buffer<Scalar>>;
    return checked(query, (Row(row, keys_) * Row(sums, keys_)).sum());
  }

 private:
  static Scalar head_weight(const Layer& layer, Index head) {
    if (layer.head_weights.empty()) return Scalar(1);
    return static_cast<Scalar>(layer.head_weights[static_cast<std::size_t>(head)]);
  }

  void sum_heads(Index query, Index head, Index count, Scalar* out) const {
    const bool sound = visit_elements(*layer_, [&](const auto* data) {
      return head_sum(data + head * layer_->head_step() + query * layer_->query_step(),
                      layer_->head_step(), count, keys_, out);
    });
    if (!sound) refuse_invalid(*layer_, index_, query, stage_);
  }

  /// Heads in the order of sum_heads, so that rows that store all their numbers have its bits.
  const Scalar* scatter_heads(Index query, Scalar* row, Scalar* marks) const {
    std::fill_n(row, keys_, Scalar(0));
    Scalar everywhere = 0;  // what all keys get, those that are stored included
    for (Index i = 0; i < layer_->heads; ++i) {
      Scalar weight = head_weight(*layer_, i);
      if (weight == Scalar(0)) continue;
      sparse_.check(i, query, marks);
      if (layer_->partial) weight /= checked(query, sparse_.mass(i, query));
      const Scalar share = sparse_.share_of_rest(i, query);
      sparse_.add(i, query, weight, share, row);
      everywhere += weight * share;
    }
    if (everywhere > Scalar(0)) {
      Eigen::Map<Buffer<Scalar>> all(row, keys_);
      all = (all + everywhere).max(Scalar(0));
    }
    return row;
  }

  [[nodiscard]] Scalar mass(Index query, const Scalar* row) const {
    return checked(query, Eigen::Map<const Buffer<Scalar>>(row, keys_).sum());
  }

  /// A subnormal sum has lost its digits, and its inverse may be infinite.
  [[nodiscard]] Scalar checked(Index query, Scalar sum) const {
    require(sum >= std::numeric_limits<Scalar>::min() && is_finite(sum), stage_,
            ": the attention of a query must have a positive finite sum, at least ",
            std::numeric_limits<Scalar>::min(), ", got ", sum, " at layer ", index_, ", query ",
            query);
    return sum;
  }

  /// out [keys] = exp(scores - the largest); returns their sum.
  Scalar soften(Index query, Index head, Scalar* out) const {
    visit_elements(*layer_, [&](const auto* data) {
      const auto* scores = data + head * layer_->head_step() + query * layer_->query_step();
      for (Index i = 0; i < keys_; ++i) out[i] = static_cast<Scalar>(scores[i]);
    });
    refuse_invalid_scores(query, head, out);
    Eigen::Map<Buffer<Scalar>> row(out, keys_);
    const Scalar most = row.maxCoeff();
    require(is_finite(most), stage_, ": a row of scores must not be all -infinity, at layer ",
            index_, ", head ", head, ", query ", query);
    row = (row - most).exp();
    return row.sum();
  }

  void refuse_invalid_scores(Index query, Index head, const Scalar* scores) const {
    Index sound = 0;  // no early exit, so that it runs in packets
    for (Index i = 0; i < keys_; ++i) {
      sound += Index{is_finite(scores[i])} + Index{is_masked(scores[i])};
    }
    for (Index i = 0; sound < keys_ && i < keys_; ++i) {
      require(is_finite(scores[i]) || is_masked(scores[i]), stage_,
              ": scores must be finite or -infinity, got ", scores[i], " at layer ", index_,
              ", head ", head, ", query ", query, ", key ", i);
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
    visit_elements(*layer_, [&](const auto* data) {
      const auto* keys = static_cast<decltype(data)>(layer_->key_data);
      for (Index head = 0; head < layer_->heads; ++head) {
        const Scalar weight = head_weight(*layer_, head);
        if (weight == Scalar(0)) continue;
        scratch.products.add(data + head * layer_->head_step() + begin * layer_->query_step(),
                             layer_->query_step(), end - begin, static_cast<Scalar>(scale),
                             keys + head * layer_->key_head_step(), layer_->key_step(), weight);
      }
    });
    scratch.products.write(end - begin, scratch.rows.data(), keys_);
  }

  const Layer* layer_;
  std::size_t index_;
  const char* stage_;
  Index keys_;
  SparseRows<Scalar> sparse_;
};

}  // namespace diffseg::detail
