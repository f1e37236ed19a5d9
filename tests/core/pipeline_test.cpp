// SPDX-License-Identifier: MIT
#include <diffseg/core/pipeline.hpp>
#include <memory>
#include <string>
#include <utility>

#include "support/catch.hpp"

namespace diffseg {

struct Add {
  int amount = 1;
  int operator()(int value) const { return value + amount; }
};

}  // namespace diffseg

using diffseg::Add;

TEST_CASE("a chain runs from left to right", "[pipeline]") {
  const auto chain = Add{.amount = 2} | [](int value) { return value * 10; } | Add{};
  REQUIRE(chain(1) == 31);
}

TEST_CASE("a lambda may come first", "[pipeline]") {
  const auto chain = [](const std::string& text) { return std::stoi(text); } | Add{};
  REQUIRE(chain("41") == 42);
}

TEST_CASE("joining is associative", "[pipeline]") {
  const auto twice = [](int value) { return value * 2; };
  const auto left = (Add{} | twice) | Add{.amount = 5};
  const auto right = Add{} | (twice | Add{.amount = 5});
  for (int value = -3; value < 4; ++value) REQUIRE(left(value) == right(value));
}

TEST_CASE("a chain keeps copies of its stages", "[pipeline]") {
  Add stage{.amount = 1};
  const auto chain = stage | Add{};
  stage.amount = 100;
  REQUIRE(chain(0) == 2);
  REQUIRE(chain.first.amount == 1);
}

TEST_CASE("a value that only moves passes through", "[pipeline]") {
  const auto wrap = [](std::unique_ptr<int> value) {
    ++*value;
    return value;
  };
  const auto chain = diffseg::detail::Pipeline<decltype(wrap), decltype(wrap)>{wrap, wrap};
  REQUIRE(*chain(std::make_unique<int>(1)) == 3);
}

TEST_CASE("a chain may be a constant", "[pipeline]") {
  constexpr auto chain = Add{} | Add{.amount = 3};
  STATIC_REQUIRE(chain.second.amount == 3);
}
