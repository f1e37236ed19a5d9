// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <diffseg/merge/detail/logarithm.hpp>
#include <limits>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;

namespace {

template <class Scalar>
Scalar log_of(Scalar value) {
  using namespace Eigen::internal;
  Scalar out[packet_size<Scalar>];
  pstoreu(out, log_of_normal<Scalar>(pset1<Packet<Scalar>>(value)));
  REQUIRE(std::all_of(out, out + packet_size<Scalar>, [&](Scalar x) { return x == out[0]; }));
  return out[0];
}

}  // namespace

TEMPLATE_TEST_CASE(
    "the logarithm of one is exactly zero and those of two and one half are opposite",
    "[logarithm][unit]", float, double) {
  REQUIRE(log_of(TestType(1)) == TestType(0));
  REQUIRE(log_of(TestType(2)) == Approx(0.6931471805599453));
  REQUIRE(log_of(TestType(0.5)) == -log_of(TestType(2)));
}

TEMPLATE_TEST_CASE("logarithms of all magnitudes are right to two eps", "[logarithm][law]", float,
                   double) {
  using Limits = std::numeric_limits<TestType>;
  support::Random random(419);
  INFO(random.note());
  for (int exponent = Limits::min_exponent; exponent <= Limits::max_exponent - 1; ++exponent) {
    for (const double mantissa : {0.5, 0.70710677, 0.70710679, random.uniform(0.5, 1), 0.9999999}) {
      const auto value = static_cast<TestType>(std::ldexp(mantissa, exponent));
      const double expected = std::log(static_cast<double>(value));
      INFO("ln " << value);
      const double bound = 2 * static_cast<double>(Limits::epsilon()) * std::abs(expected);
      REQUIRE(std::abs(static_cast<double>(log_of(value)) - expected) <= bound);
    }
  }
}
