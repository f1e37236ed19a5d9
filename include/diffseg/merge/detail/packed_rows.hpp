// SPDX-License-Identifier: MIT
// Rows of probabilities and their logarithms as one stream.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "diffseg/core/large_pages.hpp"
#include "diffseg/core/types.hpp"
#include "diffseg/merge/detail/logarithm.hpp"

namespace diffseg::detail {

/// R rows of n probabilities, each packet followed by the packet of its logarithms, padded with
/// p = 1 (which adds nothing to a divergence).
template <class Scalar>
class PackedRows {
 public:
  static constexpr Index lanes = packet_size<Scalar>;

  /// Room for `rows` rows of `width` numbers, unset; more room than that stays.
  void resize(Index rows, Index width) {
    width_ = width;
    packets_ = (width + lanes - 1) / lanes;
    // One packet more than needed: rows a power of two apart would share the same cache sets.
    stride_ = (2 * packets_ + 1) * lanes;
    if (values_.size() >= rows * stride_) return;
    make_room(values_, rows * stride_);
    prefer_large_pages(values_.data(), static_cast<std::size_t>(values_.size()) * sizeof(Scalar));
  }

  /// Packets of probabilities per row.
  [[nodiscard]] Index packets() const { return packets_; }
  [[nodiscard]] const Scalar* row(Index index) const { return values_.data() + index * stride_; }

  /// Sets row `index` from values [width]. False if one of them is outside (0, 2), NaN included.
  /// `next` [width] is asked of memory meanwhile: what will be read soon.
  bool pack(Index index, const Scalar* values, const Scalar* next = nullptr) {
    using namespace Eigen::internal;
    Scalar* out = values_.data() + index * stride_;
    Packet<Scalar> least = pset1<Packet<Scalar>>(Scalar(1));
    Packet<Scalar> seen = least;
    const auto add = [&](Index i, const Packet<Scalar>& p) {
      least = pmin(p, least);
      seen = por(p, seen);
      pstore(out + 2 * i * lanes, p);
      pstore(out + (2 * i + 1) * lanes, log_of_normal<Scalar>(p));
    };
    const Index whole = width_ / lanes;
    for (Index i = 0; i < whole; ++i) {
      if (next != nullptr) prefetch(next + i * lanes);
      add(i, ploadu<Packet<Scalar>>(values + i * lanes));
    }
    if (whole < packets_) {
      Scalar tail[lanes];
      std::fill_n(tail, lanes, Scalar(1));
      std::copy(values + whole * lanes, values + width_, tail);
      add(whole, ploadu<Packet<Scalar>>(tail));
    }
    const Scalar smallest = predux_min(least);
    if (smallest < std::numeric_limits<Scalar>::min()) take_any_logs(out);
    return smallest > Scalar(0) && in_range(seen);
  }

 private:
  /// The logarithms of a row that holds subnormal numbers.
  void take_any_logs(Scalar* row) const {
    using namespace Eigen::internal;
    for (Index i = 0; i < 2 * packets_ * lanes; i += 2 * lanes) {
      pstore(row + i + lanes, plog(pload<Packet<Scalar>>(row + i)));
    }
  }

  /// The sign and the top exponent bit are clear in all numbers of [+0, 2) and set in one of them
  /// for all others, also under -ffast-math.
  static bool in_range(const Packet<Scalar>& seen) {
    using Bits = std::conditional_t<sizeof(Scalar) == 8, std::uint64_t, std::uint32_t>;
    Scalar values[lanes];
    Eigen::internal::pstoreu(values, seen);
    return std::all_of(values, values + lanes, [](Scalar value) {
      return std::bit_cast<Bits>(value) >> (8 * sizeof(Bits) - 2) == 0;
    });
  }

  Index width_ = 0;
  Index packets_ = 0;
  Index stride_ = 0;
  Buffer<Scalar> values_;
};

}  // namespace diffseg::detail
