// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <string>
#include <vector>

namespace study {

/// Places of positive numbers along a logarithmic axis.
struct LogScale {
  double low = 1, high = 10;    ///< numbers at the ends
  double begin = 0, end = 100;  ///< pixels at the ends

  [[nodiscard]] double operator()(double value) const {
    return begin + (end - begin) * std::log(value / low) / std::log(high / low);
  }
  /// The powers of ten on it, and twice and five times them unless only `tens` are wanted.
  [[nodiscard]] std::vector<double> ticks(bool tens = false) const {
    std::vector<double> result;
    for (double power = 1e-6; power < 1e9; power *= 10) {
      for (const double digit : {1.0, 2.0, 5.0}) {
        const double value = digit * power;
        const bool on = value >= low * 0.999 && value <= high * 1.001;
        if (on && (digit == 1 || !tens)) result.push_back(value);
      }
    }
    return result;
  }
};

/// A tick as people write it.
[[nodiscard]] inline std::string tick_text(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace study
