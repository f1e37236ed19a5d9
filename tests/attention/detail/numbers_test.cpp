// SPDX-License-Identifier: MIT
#include <cstdint>
#include <cstring>
#include <diffseg/attention/detail/numbers.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/shifted.hpp"

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

TEMPLATE_TEST_CASE("numbers at any byte are read like those that are aligned", "[numbers][law]",
                   Eigen::half, Eigen::bfloat16, float, double) {
  const ElementType type = element_type_of<TestType>();
  std::vector<TestType> values(2500);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<TestType>(static_cast<float>(i) - 1000.5F);
  }
  const auto count = static_cast<Index>(values.size()) - 3;
  std::vector<float> expected(values.size());
  std::vector<float> out(values.size());
  read_numbers(type, values.data(), 3, count, expected.data());
  for (std::size_t shift = 1; shift < 9; ++shift) {
    CAPTURE(shift);
    const auto data = support::shifted(values.data(), values.size() * sizeof(TestType), shift);
    const float* const read = as_numbers(type, data.get(), 3, count, out.data());
    const bool in_place = std::is_same_v<TestType, float> && shift % sizeof(TestType) == 0;
    REQUIRE((read == out.data()) == !in_place);
    REQUIRE(std::memcmp(read, expected.data(), static_cast<std::size_t>(count) * 4) == 0);
  }
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
