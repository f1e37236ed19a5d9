// SPDX-License-Identifier: MIT
// Under -ffast-math the compiler may assume that there is no NaN, and add in another order; the
// library must find the one, and exponentials must stay exact.
#include <cmath>
#include <cstdio>
#include <diffseg/attention/detail/exponential.hpp>
#include <diffseg/diffseg.hpp>
#include <limits>
#include <stdexcept>
#include <vector>

namespace {

bool refuses_what_is_not_finite() {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> attention(16, 0.25F);
    attention[5] = bad;
    const auto layer = diffseg::Layer::owning(std::move(attention), 1, {2, 2});
    try {
      static_cast<void>(diffseg::segment(diffseg::Layers{layer}, {.compare = {.anchors = {1, 1}}}));
    } catch (const std::invalid_argument& error) {
      std::puts(error.what());
      continue;
    }
    std::puts("a number that is not finite was taken");
    return false;
  }
  return true;
}

/// The largest relative error of exponentials of -87 to 0 in units of float.
double error_of_exponentials() {
  namespace detail = diffseg::detail;
  constexpr auto lanes = static_cast<std::size_t>(detail::packet_size<float>);
  double largest = 0;
  std::vector<float> values(lanes);
  for (float x = -87; x < 0; x += 0.0137F) {
    std::fill(values.begin(), values.end(), x);
    detail::map_packets<float>(values.data(), detail::packet_size<float>, values.data(),
                               [](const auto& p) { return detail::exp_of_negative<float>(p); });
    const double expected = std::exp(static_cast<double>(x));
    largest = std::max(largest, std::abs(values[0] / expected - 1));
  }
  return largest / static_cast<double>(std::numeric_limits<float>::epsilon());
}

}  // namespace

int main() {
  const double error = error_of_exponentials();
  std::printf("exponentials are wrong by %.2f units\n", error);
  return refuses_what_is_not_finite() && error <= 3 ? 0 : 1;
}
