// SPDX-License-Identifier: MIT
// Linear maps between grids: bilinear, area, nearest. Weights are computed once per pair of grids.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "diffseg/core/cache.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/core/packet.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// What a target cell receives, axis by axis. "Bilinear" has half-pixel centres: source =
/// (target + 1/2) * from / to - 1/2, clamped to [0, from - 1].
enum class Resampling {
  bilinear,  ///< bilinear at any ratio
  mass,      ///< enlarging: bilinear; reducing: the sum of the covered area (keeps the total)
  mean,      ///< enlarging: bilinear; reducing: the mean of the covered area
  repeat,    ///< enlarging: the cell target * from / to (integer division); reducing: the mean
  sample     ///< enlarging: as repeat; reducing: the one cell in the middle of the covered area
};

/// The weights of one axis: target i = sum over k < taps() of weight(i, k) * source[first(i) + k].
template <class Scalar>
class AxisResampler {
 public:
  /// Requires from, to >= 1.
  AxisResampler(Index from, Index to, Resampling mode) : from_(from) {
    require(from >= 1 && to >= 1, "Resampler: sides must be >= 1, got ", from, " -> ", to);
    std::vector<std::vector<double>> rows(static_cast<std::size_t>(to));
    first_.resize(rows.size());
    for (Index i = 0; i < to; ++i) {
      auto& row = rows[static_cast<std::size_t>(i)];
      Index& first = first_[static_cast<std::size_t>(i)];
      if (mode == Resampling::sample || (mode == Resampling::repeat && to >= from)) {
        first = to >= from ? i * from / to : (2 * i + 1) * from / (2 * to);
        row = {1.0};
      } else if (mode == Resampling::bilinear || to >= from) {
        first = interpolate(from, to, i, row);
      } else {
        first = cover(from, to, i, mode == Resampling::mass, row);
      }
      taps_ = std::max(taps_, static_cast<Index>(row.size()));
    }
    pad(rows);
  }

  [[nodiscard]] Index from() const { return from_; }
  [[nodiscard]] Index to() const { return static_cast<Index>(first_.size()); }
  [[nodiscard]] Index taps() const { return taps_; }
  [[nodiscard]] Index first(Index i) const { return first_[static_cast<std::size_t>(i)]; }
  /// [taps()] weights of target i.
  [[nodiscard]] const Scalar* weights(Index i) const { return weights_.data() + i * taps_; }

  /// [from] sum over all targets of the weight that each source receives.
  [[nodiscard]] std::vector<double> sums() const {
    std::vector<double> sums(static_cast<std::size_t>(from_), 0.0);
    for (Index i = 0; i < to(); ++i) {
      for (Index k = 0; k < taps_; ++k) {
        sums[static_cast<std::size_t>(first(i) + k)] += static_cast<double>(weights(i)[k]);
      }
    }
    return sums;
  }

 private:
  static Index interpolate(Index from, Index to, Index i, std::vector<double>& row) {
    const double centre =
        (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    const double source = std::clamp(centre, 0.0, static_cast<double>(from - 1));
    const Index low = std::min(static_cast<Index>(source), std::max<Index>(from - 2, 0));
    const double fraction = source - static_cast<double>(low);
    row = {1.0 - fraction};
    if (from > 1 && from != to) row.push_back(fraction);
    if (from == to) row = {1.0};
    return from == to ? i : low;
  }

  /// Target i covers the sources between i * from / to and (i + 1) * from / to; in units of
  /// 1 / to the borders are integers, so no overlap is lost to rounding.
  static Index cover(Index from, Index to, Index i, bool mass, std::vector<double>& row) {
    const Index begin = i * from;
    const Index end = begin + from;
    const Index low = begin / to;
    for (Index source = low; source * to < end; ++source) {
      const Index overlap = std::min(end, (source + 1) * to) - std::max(begin, source * to);
      row.push_back(static_cast<double>(overlap) / static_cast<double>(mass ? to : from));
    }
    return low;
  }

  void pad(const std::vector<std::vector<double>>& rows) {
    weights_.assign(rows.size() * static_cast<std::size_t>(taps_), Scalar(0));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const Index shifted = std::min(first_[i], from_ - taps_);
      const auto offset = static_cast<std::size_t>(first_[i] - shifted);
      for (std::size_t k = 0; k < rows[i].size(); ++k) {
        weights_[i * static_cast<std::size_t>(taps_) + offset + k] =
            static_cast<Scalar>(rows[i][k]);
      }
      first_[i] = shifted;
    }
  }

  Index from_;
  Index taps_ = 1;
  std::vector<Index> first_;
  std::vector<Scalar> weights_;
};

/// w0 * a + w1 * b, the step of bilinear interpolation; the same bits as combine_rows gives.
template <class Scalar>
[[nodiscard]] Scalar blend(Scalar w0, Scalar a, Scalar w1, Scalar b) {
  return multiply_add(w1, b, w0 * a);
}

/// out[x] = sum over k of weights[k] * rows[k * stride + x] (+ base[x] if given), x < width; the
/// bits do not depend on where x lies in its packet.
template <class Scalar>
void combine_rows(const Scalar* rows, Index stride, const Scalar* weights, Index taps,
                  const Scalar* base, Scalar* out, Index width) {
  using namespace Eigen::internal;
  using Lanes = Packet<Scalar>;
  constexpr Index lanes = packet_size<Scalar>;
  Index x = 0;
  for (; x + lanes <= width; x += lanes) {
    Lanes sum = pmul(pset1<Lanes>(weights[0]), ploadu<Lanes>(rows + x));
    for (Index k = 1; k < taps; ++k) {
      sum = pmadd(pset1<Lanes>(weights[k]), ploadu<Lanes>(rows + k * stride + x), sum);
    }
    pstoreu(out + x, base == nullptr ? sum : padd(ploadu<Lanes>(base + x), sum));
  }
  for (; x < width; ++x) {
    Scalar sum = weights[0] * rows[x];
    for (Index k = 1; k < taps; ++k) sum = multiply_add(weights[k], rows[k * stride + x], sum);
    out[x] = base == nullptr ? sum : base[x] + sum;
  }
}

/// Resamples values on grid `from` to grid `to`, first along rows, then along columns.
template <class Scalar>
class Resampler {
 public:
  Resampler(GridSize from, GridSize to, Resampling mode)
      : vertical_(from.height, to.height, mode), horizontal_(from.width, to.width, mode) {
    const auto rows = vertical_.sums();
    const auto columns = horizontal_.sums();
    for (const double row : rows) {
      for (const double column : columns) sums_.push_back(static_cast<Scalar>(row * column));
    }
  }

  [[nodiscard]] GridSize from() const { return {vertical_.from(), horizontal_.from()}; }
  [[nodiscard]] GridSize to() const { return {vertical_.to(), horizontal_.to()}; }
  [[nodiscard]] const AxisResampler<Scalar>& vertical() const { return vertical_; }
  [[nodiscard]] const AxisResampler<Scalar>& horizontal() const { return horizontal_; }
  /// [from.cells()]: the sum over `out` of a resampled `in` is the dot product of `in` with these.
  [[nodiscard]] const std::vector<Scalar>& sums() const { return sums_; }
  /// Numbers of scratch that apply() needs.
  [[nodiscard]] Index scratch_size() const { return vertical_.from() * horizontal_.to(); }

  /// out [to.cells()] = resampled in [from.cells()], plus base [to.cells()] if not nullptr.
  void apply(const Scalar* in, const Scalar* base, Scalar* out, Scalar* scratch) const {
    const Index width = horizontal_.to();
    for (Index y = 0; y < vertical_.from(); ++y) {
      stretch(in + y * horizontal_.from(), scratch + y * width);
    }
    for (Index y = 0; y < vertical_.to(); ++y) {
      combine_rows(scratch + vertical_.first(y) * width, width, vertical_.weights(y),
                   vertical_.taps(), base == nullptr ? nullptr : base + y * width, out + y * width,
                   width);
    }
  }

  /// The same with scratch of its own.
  void apply(const Scalar* in, Scalar* out) const {
    std::vector<Scalar> scratch(static_cast<std::size_t>(scratch_size()));
    apply(in, nullptr, out, scratch.data());
  }

 private:
  void stretch(const Scalar* in, Scalar* out) const {
    const Index taps = horizontal_.taps();
    if (taps == 2) {  // bilinear, the frequent case
      for (Index x = 0; x < horizontal_.to(); ++x) {
        const Scalar* source = in + horizontal_.first(x);
        const Scalar* weight = horizontal_.weights(x);
        out[x] = blend(weight[0], source[0], weight[1], source[1]);
      }
      return;
    }
    for (Index x = 0; x < horizontal_.to(); ++x) {
      const Scalar* source = in + horizontal_.first(x);
      Scalar sum = 0;
      for (Index k = 0; k < taps; ++k) {
        sum = multiply_add(horizontal_.weights(x)[k], source[k], sum);
      }
      out[x] = sum;
    }
  }

  AxisResampler<Scalar> vertical_;
  AxisResampler<Scalar> horizontal_;
  std::vector<Scalar> sums_;
};

struct ResamplerKey {
  GridSize from;
  GridSize to;
  Resampling mode;
  friend bool operator==(const ResamplerKey&, const ResamplerKey&) = default;
};

template <class Scalar>
Cache<ResamplerKey, Resampler<Scalar>>& resampler_cache() {
  static Cache<ResamplerKey, Resampler<Scalar>> cache(64);
  return cache;
}

/// The resampler of these arguments, built once per process (the 64 used last are kept).
template <class Scalar>
[[nodiscard]] std::shared_ptr<const Resampler<Scalar>> cached_resampler(GridSize from, GridSize to,
                                                                        Resampling mode) {
  return resampler_cache<Scalar>().get({from, to, mode},
                                       [&] { return Resampler<Scalar>(from, to, mode); });
}

template <class Scalar>
[[nodiscard]] CacheStatistics resampler_statistics() {
  return resampler_cache<Scalar>().statistics();
}

}  // namespace diffseg::detail
