// SPDX-License-Identifier: MIT
#include <diffseg/attention/detail/head_sum.hpp>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

TEMPLATE_TEST_CASE("numbers of attention are told from others by their bits", "[head_sum][unit]",
                   float, double, Eigen::half, Eigen::bfloat16) {
  using Traits = Eigen::NumTraits<TestType>;
  for (const double value : {0.0, -0.0, 1e-6, 0.5, 1.0, 1.5, 2.0, 100.0}) {
    CAPTURE(value);
    REQUIRE_FALSE(is_invalid_attention(static_cast<TestType>(value)));
  }
  REQUIRE_FALSE(is_invalid_attention(Traits::highest()));
  REQUIRE_FALSE(is_invalid_attention(std::numeric_limits<TestType>::denorm_min()));
  for (const double value : {-1e-6, -0.5, -100.0}) {
    REQUIRE(is_invalid_attention(static_cast<TestType>(value)));
  }
  REQUIRE(is_invalid_attention(Traits::infinity()));
  REQUIRE(is_invalid_attention(static_cast<TestType>(-Traits::infinity())));
  REQUIRE(is_invalid_attention(Traits::quiet_NaN()));
  REQUIRE(is_invalid_attention(static_cast<TestType>(-Traits::quiet_NaN())));
}

TEMPLATE_TEST_CASE("heads are added by hand", "[head_sum][unit]", float, double, Eigen::half,
                   Eigen::bfloat16) {
  // Two heads of two rows of three; the second rows: (.25, .5, .125) + (.5, 1, .25)
  std::vector<TestType> values;
  for (const double value : {9.0, 9.0, 9.0, 0.25, 0.5, 0.125, 9.0, 9.0, 9.0, 0.5, 1.0, 0.25}) {
    values.push_back(static_cast<TestType>(value));
  }
  std::vector<float> out(3);
  REQUIRE(head_sum(values.data() + 3, Index{6}, Index{2}, Index{3}, out.data()));
  REQUIRE(out == std::vector<float>{0.75F, 1.5F, 0.375F});
  std::vector<double> one(3);
  REQUIRE(head_sum(values.data() + 3, Index{6}, Index{1}, Index{3}, one.data()));
  REQUIRE(one == std::vector<double>{0.25, 0.5, 0.125});
}

TEMPLATE_TEST_CASE("a suspicious number is found at any place", "[head_sum][law]", float, double,
                   Eigen::half, Eigen::bfloat16) {
  using Traits = Eigen::NumTraits<TestType>;
  const Index heads = 3, count = 37;
  std::vector<TestType> values(static_cast<std::size_t>(heads * count), TestType(0.5F));
  std::vector<double> out(static_cast<std::size_t>(count));
  const auto sound = [&] { return head_sum(values.data(), count, heads, count, out.data()); };
  REQUIRE(sound());
  for (TestType& value : values) {
    for (const TestType bad :
         {TestType(-0.5F), TestType(-0.0F), TestType(2.0F), Traits::infinity(),
          static_cast<TestType>(-Traits::infinity()), Traits::quiet_NaN(), Traits::highest()}) {
      value = bad;
      REQUIRE_FALSE(sound());
    }
    value = TestType(1.5F);
    REQUIRE(sound());
    value = TestType(0.5F);
  }
}

TEMPLATE_TEST_CASE("head sums equal sums in double", "[head_sum][law]", float, double, Eigen::half,
                   Eigen::bfloat16) {
  Random random(401);
  INFO(random.note());
  const Index heads = 5, count = 53;
  std::vector<TestType> values;
  for (Index i = 0; i < heads * count; ++i) {
    values.push_back(static_cast<TestType>(random.uniform()));
  }
  std::vector<float> single(static_cast<std::size_t>(count));
  std::vector<double> twice(static_cast<std::size_t>(count));
  REQUIRE(head_sum(values.data(), count, heads, count, single.data()));
  REQUIRE(head_sum(values.data(), count, heads, count, twice.data()));
  for (Index i = 0; i < count; ++i) {
    double expected = 0;
    for (Index head = 0; head < heads; ++head) {
      expected += static_cast<double>(values[static_cast<std::size_t>(head * count + i)]);
    }
    const auto at = static_cast<std::size_t>(i);
    REQUIRE(twice[at] == Approx(expected).epsilon(1e-14));
    REQUIRE(static_cast<double>(single[at]) == Approx(expected).epsilon(1e-6));
  }
}

TEMPLATE_TEST_CASE("every finite number of two bytes is converted exactly", "[head_sum][law]",
                   Eigen::half, Eigen::bfloat16) {
  std::vector<TestType> all;
  const auto infinity = detail::bits_of(Eigen::NumTraits<TestType>::infinity());
  for (std::uint16_t bits = 0; bits < infinity; ++bits) {
    all.push_back(std::bit_cast<TestType>(bits));
  }
  std::vector<float> sums(all.size());
  (void)head_sum(all.data(), 0, 1, static_cast<Index>(all.size()), sums.data());
  std::size_t different = 0;
  for (std::size_t i = 0; i < all.size(); ++i) different += sums[i] != static_cast<float>(all[i]);
  REQUIRE(different == 0);
}
