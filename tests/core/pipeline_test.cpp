// SPDX-License-Identifier: MIT
#include <diffseg/core/pipeline.hpp>
#include <diffseg/core/profile.hpp>
#include <diffseg/data/layer.hpp>
#include <memory>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace {

struct Add {
  using Stage = void;
  int amount = 1;
  int operator()(int value) const { return value + amount; }
};

int twice(int value) {
  return 2 * value;
}

template <class First, class Second>
concept Pipes = requires(First first, Second second) {
  first | second;
};

}  // namespace

using diffseg::operator|;

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

TEST_CASE("a function is a stage next to one", "[pipeline]") {
  REQUIRE((twice | Add{})(4) == 9);
  REQUIRE((Add{} | twice)(4) == 10);
}

TEST_CASE("only callables are joined and only to a stage", "[pipeline]") {
  const auto lambda = [](const auto& value) { return value.nonsense(); };
  STATIC_REQUIRE(Pipes<Add, decltype(lambda)>);
  STATIC_REQUIRE_FALSE(Pipes<decltype(lambda), decltype(lambda)>);
  STATIC_REQUIRE_FALSE(Pipes<diffseg::Layers, diffseg::Layers>);
  STATIC_REQUIRE_FALSE(Pipes<diffseg::Layers, Add>);
  STATIC_REQUIRE_FALSE(Pipes<diffseg::GridSize, Add>);
  STATIC_REQUIRE_FALSE(Pipes<Add, diffseg::Layers>);
  STATIC_REQUIRE_FALSE(Pipes<Add, int>);
}

// clang before 16 cannot compile libstdc++'s views, of any range.
#if !defined(__clang__) || __clang_major__ >= 16
TEST_CASE("the views of the standard library see our nouns", "[pipeline]") {
  std::vector<diffseg::GridSize> grids = {{1, 2}, {3, 4}, {5, 6}};
  std::vector<diffseg::Index> heights;
  for (const auto& grid : grids | std::views::reverse) heights.push_back(grid.height);
  REQUIRE(heights == std::vector<diffseg::Index>{5, 3, 1});
  diffseg::Layers layers(3);
  layers[1].heads = 7;
  const auto has_heads = [](const diffseg::Layer& layer) { return layer.heads > 0; };
  for (const auto& layer : layers | std::views::filter(has_heads)) REQUIRE(layer.heads == 7);
  const diffseg::Profile profile;
  for (const auto& row : profile.rows() | std::views::take(2)) REQUIRE(row.depth == 0);
}
#endif
