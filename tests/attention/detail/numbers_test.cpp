// SPDX-License-Identifier: MIT
#include <cstdint>
#include <cstring>
#include <diffseg/attention/detail/numbers.hpp>
#include <vector>

#include "support/catch.hpp"

using namespace diffseg;
using namespace diffseg::detail;

TEMPLATE_TEST_CASE("numbers are read from their place", "[numbers][unit]", Eigen::half,
                   Eigen::bfloat16, float, double) {
  const ElementType type = element_type_of<TestType>();
  const std::vector<TestType> values = {TestType(1), TestType(-2), TestType(0.5F), TestType(4)};
  double out[3] = {0, 0, 9};
  read_numbers(type, values.data(), 1, 2, out);
  REQUIRE((out[0] == -2 && out[1] == 0.5 && out[2] == 9));
  float room[4];
  const float* read = as_numbers(type, values.data(), 1, 3, room);
  REQUIRE((read[0] == -2 && read[2] == 4));
  REQUIRE((read == room) == !std::is_same_v<TestType, float>);
}

TEST_CASE("every finite half is read exactly in packets and one by one", "[numbers][law]") {
  std::vector<Eigen::half> halves;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7c00U) == 0x7c00U) continue;
    halves.push_back(Eigen::half_impl::raw_uint16_to_half(static_cast<std::uint16_t>(bits)));
  }
  const auto count = static_cast<Index>(halves.size());
  std::vector<float> many(halves.size());
  read_numbers(ElementType::f16, halves.data(), 0, count, many.data());
  for (std::size_t i = 0; i < halves.size(); ++i) {
    float one = 0;
    read_numbers(ElementType::f16, halves.data(), static_cast<Index>(i), 1, &one);
    CAPTURE(i, one, many[i]);
    REQUIRE(std::memcmp(&one, &many[i], sizeof(one)) == 0);
    REQUIRE(one == static_cast<float>(halves[i]));
  }
}
