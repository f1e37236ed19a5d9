// SPDX-License-Identifier: MIT
#include <array>
#include <diffseg/core/random.hpp>

#include "support/catch.hpp"

using namespace diffseg;
using namespace diffseg::detail;

TEST_CASE("RandomNumbers gives the numbers of SplitMix64", "[random]") {
  RandomNumbers random(1234567);  // the published test vector
  CHECK(random.bits() == 6457827717110365317U);
  CHECK(random.bits() == 3203168211198807973U);
  CHECK(random.bits() == 9817491932198370423U);
}

TEST_CASE("RandomNumbers is uniform in its range", "[random]") {
  RandomNumbers random(5);
  std::array<int, 7> counts{};
  for (int i = 0; i < 7000; ++i) ++counts.at(static_cast<std::size_t>(random.below(7)));
  for (const int count : counts) CHECK(std::abs(count - 1000) < 150);
  double sum = 0;
  for (int i = 0; i < 7000; ++i) {
    const double value = random.uniform();
    REQUIRE((value >= 0 && value < 1));
    sum += value;
  }
  CHECK(sum / 7000 == Approx(0.5).margin(0.02));
  for (int i = 0; i < 10; ++i) CHECK(random.below(1) == 0);
}
