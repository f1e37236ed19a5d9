// SPDX-License-Identifier: MIT
#include <diffseg/data/layer_tokens.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/shifted.hpp"

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
  for (const SkipTokens::Range range : {SkipTokens::Range{0, 6}, {1, 7}, {3, 4}}) {
    REQUIRE(SkipTokens{.ranges = {range}}.complaint(7).empty());
  }
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
  REQUIRE_FALSE(none.partial);  // its rows are whole

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
  const SkipTokens middle{.ranges = {{1, 2}, {4, 5}}};
  REQUIRE(row_of(skip_tokens(support::shifted(all, 3), middle, {2, 2}), 1, 3) ==
          row_of(image, 1, 3));

  const auto keys = counting(2 * 6 * 3);
  const Layer pair = Layer::queries_and_keys(keys.data(), keys.data(), 2, 3, {1, 6});
  const Layer some = skip_tokens(pair, {.first = 1, .ranges = {{3, 4}}}, {1, 4});
  REQUIRE(row_of(some, 1, 2) == std::vector<double>{30, 31, 32});
  REQUIRE(static_cast<const double*>(some.key_data)[3 * 4 + 3 * 3] == 33);  // head 1, token 5
  REQUIRE_FALSE(some.partial);
  REQUIRE_NOTHROW(some.check("Test"));
}

TEST_CASE("tokens of a sparse layer are skipped by copying what is stored", "[layer][unit]") {
  // Two heads of three tokens, of which the first is skipped.
  const std::vector<Eigen::half> values = {Eigen::half(0.5F), Eigen::half(0.25F), Eigen::half(1),
                                           Eigen::half(0.75F), Eigen::half(0.25F)};
  const std::vector<std::int64_t> columns = {2, 0, 1, 2, 0};
  const std::vector<Index> starts = {0, 0, 2, 3, 3, 4, 5};
  Layer all = Layer::compressed_rows(values.data(), columns.data(), starts.data(), 2, {1, 3});
  const auto numbers = [](const Layer& layer) {
    const auto* const first = static_cast<const float*>(layer.data);
    return std::vector<float>(first, first + layer.row_starts[4]);
  };
  const Layer image = skip_tokens(all, {.first = 1}, {1, 2});
  REQUIRE(image.partial);
  REQUIRE(std::vector<Index>(image.row_starts, image.row_starts + 5) ==
          std::vector<Index>{0, 1, 2, 3, 3});
  REQUIRE(numbers(image) == std::vector<float>{0.5F, 1, 0.75F});
  REQUIRE(numbers(skip_tokens(support::shifted(all, 1), {.first = 1}, {1, 2})) == numbers(image));
  const auto* const keys = static_cast<const std::int64_t*>(image.columns);
  REQUIRE(std::vector<std::int64_t>(keys, keys + 3) == std::vector<std::int64_t>{1, 0, 1});

  // 0.5 and a rest of 0.25 on one key; 1 and nothing; 0.75 and 0.125; 0.25 skipped, 0.375 twice.
  all.spread_rest = true;
  const Layer spread = skip_tokens(all, {.first = 1}, {1, 2});
  REQUIRE_FALSE(spread.partial);
  REQUIRE(spread.spread_rest);
  REQUIRE(numbers(spread) == std::vector<float>{0.5F / 0.75F, 1, 0.75F / 0.875F});

  const std::vector<std::int64_t> beyond = {2, 0, 3, 2, 0};
  all.columns = beyond.data();
  REQUIRE(complaint([&] {
            (void)skip_tokens(all, {.first = 1}, {1, 2});
          }) ==
          "skip_tokens: columns of a sparse layer must be keys in 0 .. 2, got 3, head 0, "
          "query 2");
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
