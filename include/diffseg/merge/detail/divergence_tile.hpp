// SPDX-License-Identifier: MIT
// Sums of (p - q)(ln p - ln q), twice the divergence, for small tiles of queries x anchors held in
// registers. Every summand is >= 0 and p = q gives exactly 0: unlike the product form
// H(p) + H(q) - p.ln q - q.ln p, nothing cancels, for 3 operations a term instead of 2.
#pragma once

#include <array>
#include <cmath>
#include <span>

#include "diffseg/core/check.hpp"
#include "diffseg/core/packet.hpp"

namespace diffseg::detail {

/// D(p, q) = 1/2 sum_i (p_i - q_i)(ln p_i - ln q_i) in nats, the mean of both KL divergences;
/// accumulated in double. p, q of one size, all numbers > 0.
template <class Scalar>
[[nodiscard]] double divergence(std::span<const Scalar> p, std::span<const Scalar> q) {
  require(p.size() == q.size(), "divergence: rows must have one size, got ", p.size(), " and ",
          q.size());
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const auto a = static_cast<double>(p[i]);
    const auto b = static_cast<double>(q[i]);
    sum += (a - b) * (std::log(a) - std::log(b));
  }
  return sum / 2;
}

template <class Scalar>
void add_term(Packet<Scalar>& total, const Packet<Scalar>& p, const Packet<Scalar>& log_p,
              const Packet<Scalar>& q, const Packet<Scalar>& log_q) {
  using namespace Eigen::internal;
  total = pmadd(psub(p, q), psub(log_p, log_q), total);
}

/// sums[(4 * anchor + query) * lanes + lane] += the terms of packets [begin, end) of 4 packed
/// queries and `Anchors` packed anchors. Per pair the additions are the same in every tile.
template <int Anchors, class Scalar>
void divergence_tile(const std::array<const Scalar*, 4>& queries, const Scalar* const* anchors,
                     Index begin, Index end, Scalar* sums) {
  using namespace Eigen::internal;
  using Lanes = Packet<Scalar>;
  constexpr Index lanes = packet_size<Scalar>;
  Lanes totals[4 * Anchors];
  for_constants<4 * Anchors>([&](auto i) { totals[i] = pset1<Lanes>(Scalar(0)); });
  const Scalar* const q0 = queries[0];
  const Scalar* const q1 = queries[1];
  const Scalar* const q2 = queries[2];
  const Scalar* const q3 = queries[3];
  for (Index i = 2 * begin * lanes; i < 2 * end * lanes; i += 2 * lanes) {
    const Lanes p0 = pload<Lanes>(q0 + i), log0 = pload<Lanes>(q0 + i + lanes);
    const Lanes p1 = pload<Lanes>(q1 + i), log1 = pload<Lanes>(q1 + i + lanes);
    const Lanes p2 = pload<Lanes>(q2 + i), log2 = pload<Lanes>(q2 + i + lanes);
    const Lanes p3 = pload<Lanes>(q3 + i), log3 = pload<Lanes>(q3 + i + lanes);
    for_constants<Anchors>([&](auto anchor) {
      Lanes q = pload<Lanes>(anchors[anchor] + i);
      Lanes log_q = pload<Lanes>(anchors[anchor] + i + lanes);
      // One load each: the compiler would rather load them again in each of the four terms.
      EIGEN_OPTIMIZATION_BARRIER(q)
      EIGEN_OPTIMIZATION_BARRIER(log_q)
      add_term<Scalar>(totals[4 * anchor], p0, log0, q, log_q);
      add_term<Scalar>(totals[4 * anchor + 1], p1, log1, q, log_q);
      add_term<Scalar>(totals[4 * anchor + 2], p2, log2, q, log_q);
      add_term<Scalar>(totals[4 * anchor + 3], p3, log3, q, log_q);
    });
  }
  for_constants<4 * Anchors>([&](auto i) {
    Scalar* sum = sums + i * lanes;
    pstore(sum, padd(pload<Lanes>(sum), totals[i]));
  });
}

/// bounds[query * stride + anchor], anchor in [first, first + 4 * lanes), = the sum over few
/// `blocks`. queries: 4 rows [2 x blocks], numbers then logarithms. anchors: for each block all
/// numbers, then all logarithms, [blocks x 2 x stride], so that lanes run over anchors.
template <class Scalar>
void pooled_tile(const std::array<const Scalar*, 4>& queries, Index blocks, const Scalar* anchors,
                 Index stride, Index first, Scalar* bounds) {
  using namespace Eigen::internal;
  using Lanes = Packet<Scalar>;
  constexpr Index lanes = packet_size<Scalar>;
  Lanes totals[16];
  for_constants<16>([&](auto i) { totals[i] = pset1<Lanes>(Scalar(0)); });
  for (Index block = 0; block < blocks; ++block) {
    const Scalar* row = anchors + 2 * block * stride + first;
    Lanes p[4], log_p[4];
    for_constants<4>([&](auto query) {
      p[query] = pset1<Lanes>(queries[query][block]);
      log_p[query] = pset1<Lanes>(queries[query][blocks + block]);
    });
    for_constants<4>([&](auto i) {
      const Lanes q = pload<Lanes>(row + i * lanes);
      const Lanes log_q = pload<Lanes>(row + stride + i * lanes);
      for_constants<4>([&](auto query) {
        add_term<Scalar>(totals[4 * query + i], p[query], log_p[query], q, log_q);
      });
    });
  }
  for_constants<16>(
      [&](auto i) { pstore(bounds + (i / 4) * stride + first + (i % 4) * lanes, totals[i]); });
}

}  // namespace diffseg::detail
