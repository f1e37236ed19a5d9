// SPDX-License-Identifier: MIT
// Sharpen: Maps -> Maps.
#pragma once

#include <algorithm>
#include <utility>

#include "diffseg/core/packet.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/data/maps.hpp"

namespace diffseg {

/// Maps -> the same to a power, every row scaled to sum 1 again: sharper above 1, flatter below,
/// the same numbers, shared, at 1. Divergences grow by its square while they are small, by less
/// beyond, so a power and a threshold go together: 2 brings the flat attention of DINOv2 near the
/// published threshold of 0.9. No preset uses it: docs/measured.md. Errors:
/// std::invalid_argument for no maps, a power outside 1/16 .. 16, a floor outside 1e-37 .. 1e-3.
struct Sharpen {
  using Stage = void;  ///< it may begin or follow a chain

  double power = 1;      ///< 1/16 .. 16
  double floor = 1e-30;  ///< smallest number of a map, as Aggregate::floor

  /// The maps to that power.
  template <class Scalar>
  [[nodiscard]] Maps<Scalar> operator()(const Maps<Scalar>& maps) const {
    Maps<Scalar> result;
    (*this)(maps, result);
    return result;
  }

  /// The same into `result`, which may be `maps` itself; reuses its storage if no one else holds
  /// it. After an exception it is empty, or as it was if no map was read.
  template <class Scalar>
  void operator()(const Maps<Scalar>& maps, Maps<Scalar>& result) const {
    check();
    const Maps<Scalar> source = maps;
    source.check("Sharpen");
    Maps<Scalar> sharp = std::exchange(result, {});
    if (power == 1) {
      result = source;
      return;
    }
    const detail::ProfileScope scope(
        "Sharpen", 2 * source.tokens() * source.tokens() * static_cast<Index>(sizeof(Scalar)));
    Matrix<Scalar>& rows = sharp.reset(source.grid());
    detail::parallel_for(source.tokens(), [&](Index row) {
      sharpen(source.rows().data() + row * rows.cols(), rows.cols(),
              rows.data() + row * rows.cols());
    });
    result = std::move(sharp);
  }

  /// Throws what operator() would throw for these options alone.
  void check() const {
    detail::require(power >= 1.0 / 16 && power <= 16, "Sharpen: power must be in 1/16 .. 16, got ",
                    power);
    detail::require(floor >= 1e-37 && floor <= 1e-3,
                    "Sharpen: floor must be in [1e-37, 1e-3], got ", floor);
  }

 private:
  /// One map; its largest number becomes 1 before all are scaled, so that none overflows.
  template <class Scalar>
  void sharpen(const Scalar* map, Index count, Scalar* out) const {
    using namespace Eigen::internal;
    using Lanes = detail::Packet<Scalar>;
    const Scalar largest = *std::max_element(map, map + count);
    const auto factor = pset1<Lanes>(Scalar(1) / largest);
    const auto exponent = pset1<Lanes>(static_cast<Scalar>(power));
    detail::map_packets(map, count, out, [&](const Lanes& p) {
      return pexp(pmul(exponent, plog(pmul(p, factor))));
    });
    const Scalar scale = Scalar(1) / detail::sum_of(out, count);
    const auto least = static_cast<Scalar>(floor);
    for (Index i = 0; i < count; ++i) out[i] = std::max(out[i] * scale, least);
  }
};

}  // namespace diffseg
