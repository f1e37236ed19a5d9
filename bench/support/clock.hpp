// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace bench {

/// Wall time of body().
template <class Body>
double milliseconds(const Body& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

}  // namespace bench
