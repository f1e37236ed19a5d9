// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/attention/detail/exponential.hpp>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;

namespace {

template <class Scalar>
Scalar exp_at(Scalar x) {
  Scalar out[packet_size<Scalar>];
  Eigen::internal::pstoreu(out, exp_of_negative<Scalar>(Eigen::internal::pset1<Packet<Scalar>>(x)));
  return out[packet_size<Scalar> - 1];
}

}  // namespace

TEMPLATE_TEST_CASE("powers of e by hand", "[exponential][unit]", float, double) {
  REQUIRE(exp_at(TestType(0)) == TestType(1));
  REQUIRE(static_cast<double>(exp_at(TestType(-1))) == Approx(0.36787944117).epsilon(1e-6));
  REQUIRE(static_cast<double>(exp_at(TestType(-80))) == Approx(1.8048513878e-35).epsilon(1e-6));
  REQUIRE(exp_at(TestType(-1000)) <= std::numeric_limits<float>::min() * TestType(1.1));
  REQUIRE(exp_at(-std::numeric_limits<TestType>::infinity()) <=
          std::numeric_limits<float>::min() * TestType(1.1));
  REQUIRE(std::isnan(exp_at(std::numeric_limits<TestType>::quiet_NaN())));
}

TEMPLATE_TEST_CASE("powers of e are within three units", "[exponential][law]", float, double) {
  support::Random random(431);
  INFO(random.note());
  const double unit = std::numeric_limits<TestType>::epsilon();
  for (int i = 0; i < 100000; ++i) {
    const auto x = static_cast<TestType>(-random.uniform(0, i % 2 == 0 ? 87.3 : 2));
    const double expected = std::exp(static_cast<double>(x));
    CAPTURE(x, expected);
    REQUIRE(std::abs(static_cast<double>(exp_at(x)) - expected) <= 3 * unit * expected);
  }
}
