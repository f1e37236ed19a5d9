// SPDX-License-Identifier: MIT
// Attention out of queries and keys, some queries at a time, so that it is never stored as a whole.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "diffseg/attention/detail/exponential.hpp"
#include "diffseg/attention/detail/numbers.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// The weighted sum over heads of softmax over keys of q . k, for up to `block` queries. Queries
/// lie along the packets, so that the soft-max needs no sum across one; what a query gets does not
/// depend on the others.
template <class Scalar>
class SoftmaxProducts {
 public:
  static constexpr Index lanes = packet_size<Scalar>;
  static constexpr Index block = 2 * lanes;  // queries at once

  SoftmaxProducts() = default;
  SoftmaxProducts(Index keys, Index depth) { resize(keys, depth); }

  /// For other sizes; to be cleared then. More room than that stays.
  void resize(Index keys, Index depth) {
    keys_ = keys;
    depth_ = depth;
    make_room(queries_, depth * block);
    make_room(scores_, keys * block);
    make_room(sums_, keys * block);
    make_room(loaded_, chunk * depth);
    make_room(most_, chunks() * block);
    make_room(totals_, chunks() * block);
  }

  /// How many numbers one holds.
  [[nodiscard]] static double numbers(double keys, double depth) {
    return (keys + depth + keys + 2 * std::ceil(keys / chunk)) * block + chunk * depth;
  }

  /// Forgets the heads added.
  void clear() { std::fill_n(sums_.data(), keys_ * block, Scalar(0)); }

  /// Rows of numbers of one type, `stride` apart from `offset` on.
  struct Rows {
    const void* data;
    Index offset, stride;
  };

  /// Adds one head: `count` queries [count, depth], scaled by `scale`, against all keys [keys,
  /// depth], both of `type`.
  void add(ElementType type, const Rows& queries, Index count, Scalar scale, const Rows& keys,
           Scalar weight) {
    std::fill_n(queries_.data(), depth_ * block, Scalar(0));
    for (Index i = 0; i < count; ++i) {
      const Scalar* query = as_numbers(type, queries.data, queries.offset + i * queries.stride,
                                       depth_, loaded_.data());
      for (Index k = 0; k < depth_; ++k) queries_[k * block + i] = scale * query[k];
    }
    for (Index first = 0; first < keys_; first += chunk) {
      const Index some = std::min(chunk, keys_ - first);
      if (type == element_type_of<Scalar>() && is_aligned(type, keys.data)) {
        const Scalar* all = static_cast<const Scalar*>(keys.data) + keys.offset;
        score(all + first * keys.stride, keys.stride, first, some);
      } else {
        load(type, keys, first, some);
        score(loaded_.data(), depth_, first, some);
      }
    }
    add_to_sums(weight);
  }

  /// out [count x keys], rows `stride` apart: what the queries have got.
  void write(Index count, Scalar* out, Index stride) const {
    constexpr Index tile = 64 / static_cast<Index>(sizeof(Scalar));  // one cache line of a row
    for (Index key = 0; key < keys_; key += tile) {
      const Index end = std::min(keys_, key + tile);
      for (Index i = 0; i < count; ++i) {
        for (Index k = key; k < end; ++k) out[i * stride + k] = sums_[k * block + i];
      }
    }
  }

 private:
  using Lanes = Packet<Scalar>;
  // Keys that are converted at a time, and softened by a largest score of their own.
  static constexpr Index chunk = 64;

  /// loaded_ [count x depth] = the keys from `first` on; at once where they follow each other.
  void load(ElementType type, const Rows& keys, Index first, Index count) {
    const bool dense = keys.stride == depth_;
    const Index length = dense ? count * depth_ : depth_;
    for (Index i = 0; i < count * depth_; i += length) {
      const Index key = first + i / depth_;
      read_numbers(type, keys.data, keys.offset + key * keys.stride, length, loaded_.data() + i);
    }
  }

  [[nodiscard]] Index chunks() const { return (keys_ + chunk - 1) / chunk; }

  /// exp(scores - the largest of them) of a chunk of `count` keys from `first` on, while they are
  /// in the first cache level; the largest score and the sum of each query.
  void score(const Scalar* keys, Index stride, Index first, Index count) {
    using namespace Eigen::internal;
    Scalar* const most = most_.data() + first / chunk * block;
    std::fill_n(most, block, std::numeric_limits<Scalar>::lowest());
    Index i = 0;
    for (; i + 4 <= count; i += 4) score_some<4>(keys + i * stride, stride, first + i, most);
    for (; i < count; ++i) score_some<1>(keys + i * stride, stride, first + i, most);
    for_constants<2>([&](auto half) {
      const auto largest = pload<Lanes>(most + half * lanes);
      Lanes total = pset1<Lanes>(Scalar(0));
      for (Index key = first; key < first + count; ++key) {
        Scalar* place = scores_.data() + key * block + half * lanes;
        const Lanes power = exp_of_negative<Scalar>(psub(pload<Lanes>(place), largest));
        total = padd(total, power);
        pstore(place, power);
      }
      pstore(totals_.data() + first / chunk * block + half * lanes, total);
    });
  }

  template <int Keys>
  void score_some(const Scalar* keys, Index stride, Index first, Scalar* largest) {
    using namespace Eigen::internal;
    Lanes totals[2 * Keys];
    for_constants<2 * Keys>([&](auto i) { totals[i] = pset1<Lanes>(Scalar(0)); });
    const Scalar* query = queries_.data();
    for (Index k = 0; k < depth_; ++k, query += block) {
      const Lanes left = pload<Lanes>(query);
      const Lanes right = pload<Lanes>(query + lanes);
      for_constants<Keys>([&](auto j) {
        const Lanes number = pset1<Lanes>(keys[j * stride + k]);
        totals[2 * j] = pmadd(number, left, totals[2 * j]);
        totals[2 * j + 1] = pmadd(number, right, totals[2 * j + 1]);
      });
    }
    for_constants<2 * Keys>([&](auto i) {
      pstore(scores_.data() + first * block + i * lanes, totals[i]);
      Scalar* most = largest + i % 2 * lanes;
      pstore(most, pmax(pload<Lanes>(most), totals[i]));
    });
  }

  /// sums += weight * soft-max: each chunk's powers by what its largest score is to that of all.
  void add_to_sums(Scalar weight) {
    using namespace Eigen::internal;
    for_constants<2>([&](auto half) {
      const auto place = [&](Index at) { return at * block + half * lanes; };
      Lanes most = pload<Lanes>(most_.data() + place(0));
      for (Index i = 1; i < chunks(); ++i) most = pmax(pload<Lanes>(most_.data() + place(i)), most);
      Lanes total = pset1<Lanes>(Scalar(0));
      for (Index i = 0; i < chunks(); ++i) {
        Scalar* factor = most_.data() + place(i);
        pstore(factor, exp_of_negative<Scalar>(psub(pload<Lanes>(factor), most)));
        total = pmadd(pload<Lanes>(totals_.data() + place(i)), pload<Lanes>(factor), total);
      }
      const Lanes scale = divide_packet(pset1<Lanes>(weight), total);
      for (Index key = 0; key < keys_; ++key) {
        const auto factor = pmul(pload<Lanes>(most_.data() + place(key / chunk)), scale);
        Scalar* sum = sums_.data() + place(key);
        pstore(sum, pmadd(pload<Lanes>(scores_.data() + place(key)), factor, pload<Lanes>(sum)));
      }
    });
  }

  Index keys_ = 0, depth_ = 0;
  Buffer<Scalar> queries_;        // [depth x block]
  Buffer<Scalar> scores_, sums_;  // [keys x block]
  Buffer<Scalar> loaded_;         // [chunk x depth]
  Buffer<Scalar> most_, totals_;  // [chunks x block] largest score, sum of its powers
};

}  // namespace diffseg::detail
