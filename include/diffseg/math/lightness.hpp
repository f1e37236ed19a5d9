// SPDX-License-Identifier: MIT
// How light pixels look.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "diffseg/core/packet.hpp"
#include "diffseg/core/types.hpp"

namespace diffseg::detail {

/// sRGB-encoded numbers 0..1, in steps of 1 / 4096, without their encoding (IEC 61966-2-1).
class LinearLight {
 public:
  LinearLight() {
    for (std::size_t i = 0; i < table_.size(); ++i) {
      const double value = static_cast<double>(i) / steps;
      table_[i] = static_cast<float>(value <= 0.04045 ? value / 12.92
                                                      : std::pow((value + 0.055) / 1.055, 2.4));
    }
  }
  /// Of the step nearest to `value`, which is in 0..1.
  template <class Scalar>
  [[nodiscard]] float operator()(Scalar value) const {
    const Scalar rounded = value * Scalar(steps) + Scalar(0.5);
    return table_[static_cast<std::size_t>(rounded)];
  }
  [[nodiscard]] static const LinearLight& table() {
    static const LinearLight instance;
    return instance;
  }

 private:
  static constexpr int steps = 4096;
  std::array<float, steps + 1> table_;
};

/// out [count] = L / 100 (CIE L*a*b*, D65), 0..1, of sRGB-encoded pixels [count, channels]; 1
/// channel (grey) or 3, numbers in 0..1, read in steps of 1 / 4096.
template <class Scalar>
void lightness(const Scalar* pixels, Index count, Index channels, float* out) {
  const LinearLight& linear = LinearLight::table();
  if (channels == 1) {
    for (Index i = 0; i < count; ++i) out[i] = linear(pixels[i]);
  } else {
    for (Index i = 0; i < count; ++i, pixels += 3) {
      out[i] = 0.2126729F * linear(pixels[0]) + 0.7151522F * linear(pixels[1]) +
               0.0721750F * linear(pixels[2]);
    }
  }
  // CIE 15: f(t) = t^(1/3) above (6/29)^3, else a line; L / 100 = 1.16 f - 0.16.
  map_packets(out, count, out, [](const Packet<float>& light) {
    using namespace Eigen::internal;
    using P = Packet<float>;
    const P root = pexp(pmul(plog(pmax(light, pset1<P>(1e-6F))), pset1<P>(1.0F / 3)));
    const P bright = psub(pmul(root, pset1<P>(1.16F)), pset1<P>(0.16F));
    const P dark = pmul(light, pset1<P>(9.0329629F));
    const P is_dark = pcmp_lt(light, pset1<P>(0.008856451679035631F));
    return pmin(pset1<P>(1), pselect(is_dark, dark, bright));
  });
}

}  // namespace diffseg::detail
