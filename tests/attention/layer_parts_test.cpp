// SPDX-License-Identifier: MIT
#include <diffseg/attention/layer_parts.hpp>
#include <limits>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"

using namespace diffseg;
using namespace diffseg::detail;

namespace {

double first_number(const Layer& layer) {
  return number_at(layer.type, layer.data, 0);
}

}  // namespace

TEST_CASE("bytes of a layer are those that are read", "[attention][unit]") {
  const std::vector<float> numbers(64);
  Layer layer = Layer::view(numbers.data(), 2, {2, 2});
  REQUIRE(layer.bytes() == 2 * 4 * 4 * 4);
  layer.type = ElementType::f16;
  REQUIRE(layer.bytes() == 2 * 4 * 4 * 2);
  const Layer products = Layer::queries_and_keys(numbers.data(), numbers.data(), 2, 3, {2, 2});
  REQUIRE(products.bytes() == 2 * (4 + 4) * 3 * 4);
}

TEST_CASE("heads and tokens are selected without a copy", "[attention][unit]") {
  // [4 heads, 6 tokens, 6 tokens], each number its own place.
  std::vector<double> numbers(4 * 6 * 6);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i);
  Layer layer = Layer::view(numbers.data(), 4, {1, 6});
  layer.head_weights = {1, 2, 3, 4};

  const Layer half = conditional_half(layer);
  REQUIRE(half.heads == 2);
  REQUIRE(first_number(half) == 72);
  REQUIRE(half.head_weights == std::vector<double>{3, 4});

  // One class token in front, one token behind.
  const Layer image = select_tokens(half, 1, {2, 2});
  REQUIRE(first_number(image) == 72 + 6 + 1);
  REQUIRE(image.queries == GridSize{2, 2});
  REQUIRE(image.keys == GridSize{2, 2});
  REQUIRE(image.query_step() == 6);
  REQUIRE(image.head_step() == 36);
  REQUIRE(image.partial);

  const Layer products = select_tokens(
      Layer::queries_and_keys(numbers.data(), numbers.data() + 72, 4, 3, {1, 6}), 2, {2, 2});
  REQUIRE(first_number(products) == 6);
  REQUIRE(*static_cast<const double*>(products.key_data) == 72 + 6);
  REQUIRE(products.head_step() == 18);
  REQUIRE(products.key_head_step() == 18);
  REQUIRE_FALSE(products.partial);  // the soft-max sees the selected keys only
}

TEST_CASE("what cannot be selected is refused", "[attention][unit]") {
  const std::vector<float> numbers(3 * 6 * 6);
  const Layer layer = Layer::view(numbers.data(), 3, {1, 6});
  REQUIRE_THROWS_AS(conditional_half(layer), std::invalid_argument);
  REQUIRE_THROWS_AS(select_heads(layer, 2, 2), std::invalid_argument);
  REQUIRE_THROWS_AS(select_heads(layer, -1, 2), std::invalid_argument);
  REQUIRE_THROWS_AS(select_heads(layer, 0, 0), std::invalid_argument);
  REQUIRE_THROWS_AS(select_tokens(layer, 3, {2, 2}), std::invalid_argument);
  REQUIRE_THROWS_AS(select_tokens(layer, -1, {2, 2}), std::invalid_argument);
  REQUIRE_THROWS_AS(select_tokens(layer, 0, {0, 2}), std::invalid_argument);
  REQUIRE_THROWS_AS(select_tokens(layer.over_tokens(5), 0, {2, 2}), std::invalid_argument);
}

TEST_CASE("layers that contradict themselves are refused", "[attention][unit]") {
  const std::vector<float> numbers(64, 0.25F);
  const auto refused = [&](auto change) {
    Layer layer = Layer::queries_and_keys(numbers.data(), numbers.data(), 2, 3, {2, 2});
    REQUIRE_NOTHROW(layer.check("Stage", 0));
    change(layer);
    REQUIRE_THROWS_AS(layer.check("Stage", 0), std::invalid_argument);
  };
  refused([](Layer& layer) { layer.key_data = nullptr; });
  refused([](Layer& layer) { layer.depth = 0; });
  refused([](Layer& layer) { layer.scale = -1; });
  refused([](Layer& layer) { layer.scale = std::numeric_limits<double>::quiet_NaN(); });
  refused([](Layer& layer) { layer.row_stride = 2; });
  refused([](Layer& layer) { layer.key_row_stride = -3; });
  refused([](Layer& layer) { layer.head_stride = -1; });
  refused([](Layer& layer) { layer.head_weights = {1}; });
  refused([](Layer& layer) { layer.head_weights = {1, -1}; });
  refused([](Layer& layer) { layer.head_weights = {0, 0}; });
  refused([](Layer& layer) { layer.head_stride = Index{1} << 61; });
}
