// SPDX-License-Identifier: MIT
#include <diffseg/core/bits.hpp>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/shifted.hpp"

using namespace diffseg;
using namespace diffseg::detail;

namespace {

template <class Element>
std::vector<Element> all_of_two_bytes() {
  std::vector<Element> values(65536);
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    std::memcpy(static_cast<void*>(&values[i]), &bits, 2);
  }
  return values;
}

template <class Element>
std::vector<Element> limits() {
  using Limits = std::numeric_limits<Element>;
  return {Element(0),          Element(-0.0F),       Element(1),
          Element(-1),         Limits::denorm_min(), Limits::min(),
          Limits::max(),       Limits::lowest(),     Limits::infinity(),
          -Limits::infinity(), Limits::quiet_NaN(),  Element(-Limits::quiet_NaN()),
          Element(0.3F),       -Limits::denorm_min()};
}

/// Every number of two bytes, or the remarkable ones.
template <class Element>
std::vector<Element> numbers() {
  if constexpr (sizeof(Element) == 2) return all_of_two_bytes<Element>();
  return limits<Element>();
}

template <class Element>
bool bits_equal(Element a, Element b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

}  // namespace

TEMPLATE_TEST_CASE("numbers are told by their bits as by their values", "[bits][law]", Eigen::half,
                   Eigen::bfloat16, float, double) {
  for (const TestType x : numbers<TestType>()) {
    const auto value = static_cast<double>(x);
    CAPTURE(value);
    REQUIRE(is_finite_element(x) == std::isfinite(value));
    REQUIRE(is_invalid_attention(x) == !(std::isfinite(value) && value >= 0));
    if (!std::isfinite(value)) continue;
    REQUIRE(bits_equal(static_cast<double>(widened(x)), value));
    REQUIRE(bits_equal(static_cast<double>(magnitude(x)), std::abs(value)));
    if (value >= 0) REQUIRE(converted<double>(x) == value);
  }
}

TEMPLATE_TEST_CASE("numbers from +0 up to 2 have no suspicious bits and others have", "[bits][law]",
                   Eigen::half, Eigen::bfloat16, float, double) {
  for (const TestType x : numbers<TestType>()) {
    const auto value = static_cast<double>(x);
    const bool plain = !std::signbit(value) && value < 2;
    CAPTURE(value);
    REQUIRE(((bits_of(x) & suspicious_bits<TestType>) == 0) == plain);
  }
}

TEMPLATE_TEST_CASE("the first number that is none is found and so is the last", "[bits][unit]",
                   Eigen::half, Eigen::bfloat16, float, double) {
  const ElementType type = element_type_of<TestType>();
  REQUIRE(element_bytes(type) == static_cast<Index>(sizeof(TestType)));
  for (const Index place : {0, 1, 36, 99}) {
    std::vector<TestType> values(100, TestType(0.5F));
    REQUIRE(find_invalid_attention(type, values.data(), 0, 100) == -1);
    values[static_cast<std::size_t>(place)] = TestType(-1);
    REQUIRE(find_invalid_attention(type, values.data(), 0, 100) == place);
    REQUIRE(find_not_finite(type, values.data(), 0, 100) == -1);
    values[static_cast<std::size_t>(place)] = std::numeric_limits<TestType>::infinity();
    REQUIRE(find_not_finite(type, values.data(), 0, 100) == place);
    REQUIRE(find_not_finite(type, values.data(), 0, place) == -1);
    if (place > 0) REQUIRE(find_not_finite(type, values.data(), 1, 99) == place - 1);
  }
}

TEMPLATE_TEST_CASE("numbers at any byte are looked at piece by piece", "[bits][unit]", Eigen::half,
                   Eigen::bfloat16, float, double) {
  const ElementType type = element_type_of<TestType>();
  constexpr Index most = 2048 / static_cast<Index>(sizeof(TestType));  // numbers of a piece
  REQUIRE(is_aligned(type, nullptr));
  for (const std::size_t shift : {std::size_t{1}, sizeof(TestType) - 1, sizeof(TestType) + 1}) {
    for (const Index place : {Index{0}, most - 1, most, 2 * most, 2 * most + 6}) {
      CAPTURE(shift, place);
      std::vector<TestType> values(2 * most + 7, TestType(0.5F));
      const auto count = static_cast<Index>(values.size());
      values[static_cast<std::size_t>(place)] = TestType(-3);
      const auto bytes = values.size() * sizeof(TestType);
      auto data = support::shifted(values.data(), bytes, shift);
      REQUIRE(is_aligned(type, values.data()));
      REQUIRE_FALSE(is_aligned(type, data.get()));
      REQUIRE(number_at(type, data.get(), place) == -3);
      REQUIRE(find_invalid_attention(type, data.get(), 0, count) == place);
      REQUIRE(find_invalid_attention(type, data.get(), 0, place) == -1);
      REQUIRE(find_not_finite(type, data.get(), 0, count) == -1);
      values[static_cast<std::size_t>(place)] = std::numeric_limits<TestType>::quiet_NaN();
      data = support::shifted(values.data(), bytes, shift);
      REQUIRE(find_not_finite(type, data.get(), 0, count) == place);
      if (place > 0) REQUIRE(find_not_finite(type, data.get(), 1, count - 1) == place - 1);
    }
  }
}

TEMPLATE_TEST_CASE("a number is read from its place", "[bits][unit]", Eigen::half, Eigen::bfloat16,
                   float, double) {
  const ElementType type = element_type_of<TestType>();
  const std::vector<TestType> values = {TestType(1), TestType(-2), TestType(0.5F), TestType(4)};
  REQUIRE(number_at(type, values.data(), 3) == 4);
  REQUIRE(advanced(values.data(), 2, type) == &values[2]);
  REQUIRE(advanced(nullptr, 2, type) == nullptr);
}

TEMPLATE_TEST_CASE("all_finite sees the last number", "[bits][unit]", float, double) {
  std::vector<TestType> values(37, std::numeric_limits<TestType>::max());
  REQUIRE(all_finite(values.data(), 37));
  values[36] = std::numeric_limits<TestType>::quiet_NaN();
  REQUIRE_FALSE(all_finite(values.data(), 37));
  REQUIRE(all_finite(values.data(), 36));
}
