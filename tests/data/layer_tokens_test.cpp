// SPDX-License-Identifier: MIT
#include <diffseg/data/layer_tokens.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"

using namespace diffseg;
using support::complaint;
using Ranges = std::vector<SkipTokens::Range>;

namespace {

/// [heads, tokens, width] 0, 1, 2, ...
std::vector<double> counting(Index count) {
  std::vector<double> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0.0);
  return numbers;
}

/// Row `query` of `head` as the strides of a dense layer lead to it.
std::vector<double> row_of(const Layer& layer, Index head, Index query) {
  const auto* const begin = static_cast<const double*>(layer.data) + head * layer.head_step() +
                            query * layer.query_step();
  return {begin, begin + (layer.depth != 0 ? layer.depth : layer.keys.cells())};
}

}  // namespace

TEST_CASE("what is left of a sequence are the runs between what is skipped", "[layer][unit]") {
  REQUIRE(SkipTokens{}.empty());
  REQUIRE(SkipTokens{}.runs(7) == Ranges{{0, 7}});
  REQUIRE(SkipTokens{.first = 1}.runs(7) == Ranges{{1, 7}});
  REQUIRE(SkipTokens{.first = 1, .last = 2}.runs(7) == Ranges{{1, 5}});
  REQUIRE(SkipTokens{.ranges = {{5, 6}, {2, 3}}}.runs(7) == Ranges{{0, 2}, {3, 5}, {6, 7}});
  // Named twice, touching, within one another.
  const SkipTokens twice{.first = 2, .last = 1, .ranges = {{0, 1}, {2, 3}, {1, 3}}};
  REQUIRE(twice.runs(7) == Ranges{{3, 6}});
  REQUIRE(twice.left(7) == 3);
  REQUIRE_FALSE(SkipTokens{.ranges = {{0, 1}}}.empty());
}

TEST_CASE("tokens that are not there cannot be skipped", "[layer][unit]") {
  REQUIRE(SkipTokens{.first = 3, .last = 3}.complaint(7).empty());
  REQUIRE(SkipTokens{.first = 3, .last = 4}.complaint(7) == "must leave some of the 7 tokens");
  REQUIRE(SkipTokens{.first = 7, .last = 7}.complaint(7) == "must leave some of the 7 tokens");
  REQUIRE(SkipTokens{.first = 8}.complaint(7) ==
          "must skip 0 .. 7 tokens in front and at the end, got 8 and 0");
  REQUIRE(SkipTokens{.last = -1}.complaint(7) ==
          "must skip 0 .. 7 tokens in front and at the end, got 0 and -1");
  for (const SkipTokens::Range range : {SkipTokens::Range{6, 8}, {-1, 2}, {3, 3}, {4, 2}}) {
    REQUIRE(SkipTokens{.ranges = {range}}.complaint(7) ==
            "must have ranges [begin, end) within 0 .. 7, got " + std::to_string(range.begin) +
                " .. " + std::to_string(range.end));
  }
}

TEST_CASE("tokens in front and at the end are skipped without a copy", "[layer][unit]") {
  const auto numbers = counting(2 * 7 * 7);
  const Layer all = Layer::view(numbers.data(), 2, {1, 7});
  const Layer image = skip_tokens(all, {.first = 1, .last = 2});
  REQUIRE(image.data == numbers.data() + 8);
  REQUIRE(image.queries == GridSize{2, 2});
  REQUIRE(image.keys == GridSize{2, 2});
  REQUIRE(image.partial);
  REQUIRE(image.owner == nullptr);
  REQUIRE(row_of(image, 1, 3) == std::vector<double>{78, 79, 80, 81});
  REQUIRE(skip_tokens(all, {.first = 1}, {3, 2}).queries == GridSize{3, 2});
  const Layer none = skip_tokens(all, {}, {1, 7});
  REQUIRE(none.data == all.data);

  Layer scores = all;
  scores.kind = LayerKind::scores;
  REQUIRE_FALSE(skip_tokens(scores, {.first = 3}).partial);  // the soft-max makes the sum 1
}

TEST_CASE("tokens in the middle are skipped by copying the others", "[layer][unit]") {
  const auto numbers = counting(2 * 6 * 6);
  Layer all = Layer::view(numbers.data(), 2, {1, 6});
  all.head_weights = {1, 2};
  const Layer image = skip_tokens(all, {.ranges = {{1, 2}, {4, 5}}}, {2, 2});
  REQUIRE(row_of(image, 0, 0) == std::vector<double>{0, 2, 3, 5});
  REQUIRE(row_of(image, 0, 1) == std::vector<double>{12, 14, 15, 17});
  REQUIRE(row_of(image, 1, 3) == std::vector<double>{66, 68, 69, 71});
  REQUIRE(image.owner != nullptr);
  REQUIRE(image.partial);
  REQUIRE(image.head_weights == all.head_weights);
  REQUIRE_NOTHROW(image.check("Test"));

  const auto keys = counting(2 * 6 * 3);
  const Layer pair = Layer::queries_and_keys(keys.data(), keys.data(), 2, 3, {1, 6});
  const Layer some = skip_tokens(pair, {.first = 1, .ranges = {{3, 4}}}, {1, 4});
  REQUIRE(row_of(some, 1, 2) == std::vector<double>{30, 31, 32});
  REQUIRE(static_cast<const double*>(some.key_data)[3 * 4 + 3 * 3] == 33);  // head 1, token 5
  REQUIRE_FALSE(some.partial);
  REQUIRE_NOTHROW(some.check("Test"));
}

TEST_CASE("what cannot be skipped is refused", "[layer][unit]") {
  const auto numbers = counting(2 * 7 * 7);
  Layer layer = Layer::view(numbers.data(), 2, {1, 7});
  layer.name = "block.3";
  const auto text = [&](const Layer& of, const SkipTokens& skip, GridSize grid = {}) {
    return complaint([&] { (void)skip_tokens(of, skip, grid); });
  };
  REQUIRE(text(layer, {.first = 1}) ==
          "skip_tokens: layer 'block.3': the grid must hold the 6 tokens that are left, got 0 x 0 "
          "({}: a square)");
  REQUIRE(text(layer, {.first = 1}, {2, 2}) ==
          "skip_tokens: layer 'block.3': the grid must hold the 6 tokens that are left, got 2 x 2 "
          "({}: a square)");
  REQUIRE(text(layer, {.first = 1}, {-2, -3}).find("got -2 x -3") != std::string::npos);
  REQUIRE(text(layer, {.first = 9}) ==
          "skip_tokens: layer 'block.3': skip must skip 0 .. 7 tokens in front and at the end, got "
          "9 and 0");
  REQUIRE(text(layer.over_tokens(5), {.first = 1}) ==
          "skip_tokens: layer 'block.3': the layer must have as many keys as queries, got 5 and 7");
}

TEST_CASE("class and register tokens are told by the squares they leave", "[layer][unit]") {
  REQUIRE(detail::leading_tokens(1297) == 1);
  REQUIRE(detail::leading_tokens(1300) == 4);
  REQUIRE(detail::leading_tokens(1301) == 5);
  REQUIRE(detail::leading_tokens(1296 + 2) == 0);
  REQUIRE(detail::leading_tokens(601, {20, 30}) == 1);
  REQUIRE(detail::leading_tokens(605, {20, 30}) == 5);
  REQUIRE(detail::leading_tokens(677, {20, 30}) == 0);
  REQUIRE(detail::leading_tokens(6) == 0);  // 1 x 1 is no image
  REQUIRE(detail::leading_tokens(17) == 1);
}
