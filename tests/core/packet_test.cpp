// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/core/packet.hpp>
#include <limits>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

template <class Scalar>
std::vector<Scalar> random_numbers(Random& random, Index count) {
  std::vector<Scalar> values;
  for (Index i = 0; i < count; ++i) values.push_back(static_cast<Scalar>(random.normal()));
  return values;
}

}  // namespace

TEMPLATE_TEST_CASE("packets visit every number once whatever is left over", "[packet][law]", float,
                   double) {
  for (Index count = 0; count < 12 * packet_size<TestType>; ++count) {
    std::vector<int> visits(static_cast<std::size_t>(count));
    for_packets<TestType>(count, [&](Index i, auto step) {
      const bool one = std::is_same_v<decltype(step), OneByOne>;
      for (Index k = 0; k < (one ? 1 : packet_size<TestType>); ++k) {
        ++visits.at(static_cast<std::size_t>(i + k));
      }
    });
    REQUIRE(visits == std::vector<int>(visits.size(), 1));
  }
}

TEMPLATE_TEST_CASE("packets divide as numbers do", "[packet][law]", float, double) {
  Random random(9104);
  INFO(random.note());
  using P = Packet<TestType>;
  constexpr Index lanes = packet_size<TestType>;
  std::vector<TestType> found(static_cast<std::size_t>(lanes));
  for (int round = 0; round < 1000; ++round) {
    const auto a = random_numbers<TestType>(random, lanes);
    const auto b = random_numbers<TestType>(random, lanes);
    const P quotient =
        divide_packet(Eigen::internal::ploadu<P>(a.data()), Eigen::internal::ploadu<P>(b.data()));
    Eigen::internal::pstoreu(found.data(), quotient);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (b[i] == 0) continue;
      CAPTURE(a[i], b[i]);
      const TestType expected = a[i] / b[i];
      REQUIRE(std::abs(found[i] - expected) <=
              std::abs(expected) * 2 * std::numeric_limits<TestType>::epsilon());
      REQUIRE(divide_packet(a[i], b[i]) == expected);
    }
  }
}

TEMPLATE_TEST_CASE("sums of packets are those of plain loops", "[packet][law]", float, double) {
  Random random(9101);
  INFO(random.note());
  for (Index count = 0; count < 12 * packet_size<TestType>; ++count) {
    const auto x = random_numbers<TestType>(random, count);
    const auto y = random_numbers<TestType>(random, count);
    double sum = 0, dot = 0, magnitude = 1;
    for (std::size_t i = 0; i < x.size(); ++i) {
      sum += x[i];
      dot += double{x[i]} * y[i];
      magnitude += std::abs(double{x[i]}) * (1 + std::abs(double{y[i]}));
    }
    const double bound = static_cast<double>(count) * magnitude *
                         static_cast<double>(std::numeric_limits<TestType>::epsilon());
    REQUIRE(std::abs(sum_of(x.data(), count) - sum) <= bound);
    REQUIRE(std::abs(dot_of(x.data(), y.data(), count) - dot) <= bound);
    auto total = y;
    add_to(x.data(), count, total.data());
    for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(total[i] == x[i] + y[i]);
  }
}

TEMPLATE_TEST_CASE("map_packets gives each number what a packet of it gives", "[packet][law]",
                   float, double) {
  Random random(9102);
  const auto square = [](const auto& x) { return Eigen::internal::pmul(x, x); };
  for (Index count = 0; count < 5 * packet_size<TestType>; ++count) {
    std::vector<TestType> x;
    for (Index i = 0; i < count; ++i) x.push_back(static_cast<TestType>(random.uniform()));
    std::vector<TestType> out(x.size() + 1, TestType(-7));
    map_packets(x.data(), count, out.data(), square);
    for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(out[i] == x[i] * x[i]);
    REQUIRE(out.back() == -7);  // what lies behind stays
  }
}

TEST_CASE("for_constants counts from 0", "[packet][unit]") {
  int digits = 0;
  for_constants<4>([&](auto i) { digits = 10 * digits + i; });
  REQUIRE(digits == 123);
}
