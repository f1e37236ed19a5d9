// SPDX-License-Identifier: MIT
// What is foretold and refused; tests/memory holds the numbers against what is allocated.
#include <cmath>
#include <diffseg/segment.hpp>
#include <limits>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"
#include "support/shifted.hpp"

using namespace diffseg;
using support::complaint;
using support::Contains;
using support::Random;
using support::random_layer;

namespace {

/// Layers whose numbers are never read.
Layers unread(GridSize fine, GridSize coarse) {
  static const float number = 1;
  return {Layer::view(&number, 8, fine), Layer::view(&number, 8, coarse)};
}

Layers unread_products(GridSize fine, GridSize coarse) {
  static const float number = 1;
  return {Layer::queries_and_keys(&number, &number, 8, 40, fine),
          Layer::queries_and_keys(&number, &number, 8, 40, coarse)};
}

}  // namespace

TEST_CASE("the parts that are known exactly", "[segment_memory][unit]") {
  const ThreadLimit limit(1);
  const Layers layers = unread({64, 48}, {32, 24});
  const SegmentOptions options{.merge = {.thresholds = {0.9}}, .assign = {.size = {100, 30}}};
  const SegmentMemory memory = segment_memory(layers, options);
  REQUIRE(memory.maps == 4.0 * 3072 * 3072);
  REQUIRE(memory.sums == 0);
  REQUIRE(memory.proposals == 4.0 * 256 * 3072);
  REQUIRE(memory.labels == 4.0 * 3000);
  REQUIRE(segment_memory(layers, options, 0).matches == 0);
  // 12 bytes found, 8 sorted, 8 stored, twice 8 in sets, 4 in runs.
  REQUIRE(segment_memory(layers, options, 1).matches == 48.0 * 256 * 3072);
  REQUIRE(segment_memory<double>(layers, options).maps == 8.0 * 3072 * 3072);
  REQUIRE(memory.total() > memory.maps + memory.anchors + memory.proposals + memory.labels);

  // Numbers that are not aligned: some columns of all heads for each thread.
  const std::vector<double> numbers(3 * 20 * 20 * 20 * 20);
  const Layer aligned = Layer::view(numbers.data(), 3, {20, 20});
  REQUIRE(segment_memory({support::shifted(aligned, 1)}).scratch -
              segment_memory({aligned}).scratch ==
          3 * 256 * 8);

  // Sums of queries with keys lie in the maps on their grid, beside them on others.
  REQUIRE(segment_memory(unread_products({64, 48}, {32, 24})).sums == 4.0 * 768 * 768);
  SegmentOptions smaller;
  smaller.aggregate.grid = {32, 24};
  REQUIRE(segment_memory(unread_products({64, 48}, {32, 24}), smaller).sums == 4.0 * 3072 * 3072);
  smaller.aggregate.weights = {0, 1};
  REQUIRE(segment_memory(unread_products({64, 48}, {32, 24}), smaller).sums == 0);
}

TEST_CASE("more of anything takes more memory", "[segment_memory][law]") {
  Random random(8301);
  INFO(random.note());
  for (int round = 0; round < 20; ++round) {
    const GridSize grid = random.grid(8, 90);
    const Layers layers = unread(grid, {8, 8});
    SegmentOptions options{.compare = {.anchors = random.grid(1, 7)},
                           .assign = {.size = random.grid(1, 900)}};
    const double before = segment_memory(layers, options).total();
    const auto grows = [&](auto change) {
      SegmentOptions changed = options;
      change(changed);
      return segment_memory(layers, changed).total() > before;
    };
    REQUIRE(grows([&](auto& more) { more.aggregate.grid = {grid.height + 1, grid.width}; }));
    REQUIRE(grows([](auto& more) { ++more.compare.anchors.height; }));
    REQUIRE(grows([](auto& more) { ++more.assign.size.width; }));
    REQUIRE(segment_memory(layers, options, 0.5).total() > before);
    REQUIRE(segment_memory<double>(layers, options).total() > before);
  }
}

TEST_CASE("segment refuses what its budget does not hold and says what fits",
          "[segment_memory][unit]") {
  const ThreadLimit limit(1);
  SegmentOptions options;
  options.memory_budget = 30'000'000;
  const Layers layers = unread({64, 48}, {32, 24});
  const std::string text = complaint([&] { (void)segment(layers, options); });
  const auto needed = std::llround(segment_memory(layers, options).total());
  REQUIRE_THAT(text, Contains("segment: memory_budget must be at least " + std::to_string(needed) +
                              " bytes for maps of 64 x 48 cells, got 30000000; "
                              "Aggregate::grid = {"));
  // What it names fits, one row more does not.
  const std::size_t at = text.find('{') + 1;
  const Index height = std::stol(text.substr(at));
  const Index width = std::stol(text.substr(text.find(',', at) + 1));
  REQUIRE(width == height * 48 / 64);
  options.aggregate.grid = {height, width};
  REQUIRE(segment_memory(layers, options).total() <= 30e6);
  options.aggregate.grid = {height + 1, (height + 1) * 48 / 64};
  REQUIRE(segment_memory(layers, options).total() > 30e6);

  // Beside a chosen grid nothing shrinks.
  SegmentOptions balanced = SegmentOptions::balanced();
  balanced.memory_budget = 3'000'000;
  REQUIRE_THAT(complaint([&] { (void)segment(layers, balanced); }),
               Contains("maps of 32 x 24 cells") && Contains("}, shrink = 1 would fit"));

  options.aggregate.grid = {};
  options.memory_budget = 100'000;
  REQUIRE_THAT(complaint([&] { (void)segment(layers, options); }),
               Contains("no grid fits that holds 16 x 16 anchors"));
  options.memory_budget = -1;
  REQUIRE_THAT(complaint([&] { (void)segment(layers, options); }), Contains("must be >= 0"));
}

TEST_CASE("a budget that is large enough changes nothing", "[segment_memory][law]") {
  Random random(8302);
  INFO(random.note());
  const Layers layers = {random_layer<float>(random, 2, {9, 8}, {9, 8}),
                         random_layer<float>(random, 2, {5, 4}, {5, 4})};
  SegmentOptions options{.compare = {.anchors = {3, 4}}, .assign = {.size = {20, 30}}};
  const Labels expected = segment(layers, options);
  options.memory_budget = static_cast<Index>(segment_memory(layers, options, 1).total()) + 1;
  REQUIRE(segment(layers, options).values == expected.values);
  options.memory_budget = static_cast<Index>(segment_memory(layers, options).total()) - 1;
  REQUIRE_THROWS_AS(segment(layers, options), std::invalid_argument);
}

TEST_CASE("attention that matches everywhere is refused with the bytes that it takes",
          "[segment_memory][law]") {
  Random random(8303);
  INFO(random.note());
  for (const bool in_merge : {false, true}) {
    // Of the same cell everywhere, or nearly; or of many cells, whose means are alike.
    const double contrast = in_merge ? 0.3 : 0.01;
    const Layers layers = {random_layer<float>(random, 1, {20, 19}, {20, 19}, contrast)};
    SegmentOptions options{.compare = {.anchors = {9, 9}}, .assign = {.size = {20, 19}}};
    if (in_merge) options.merge.thresholds = {0.01, 0.9};
    const Labels expected = segment(layers, options);
    options.memory_budget = static_cast<Index>(segment_memory(layers, options).total()) + 1;
    Segmentation<float> out;
    const std::string text = complaint([&] { segment(layers, options, out); });
    INFO(text);
    REQUIRE_THAT(text, Contains("segment: memory_budget must be at least ") &&
                           Contains(" pairs of anchors and maps match (") &&
                           Contains(" %), got " + std::to_string(options.memory_budget)));
    REQUIRE(out.labels.values.empty());
    REQUIRE(out.maps.empty());
    options.memory_budget = std::stol(text.substr(text.find("least ") + 6));
    segment(layers, options, out);
    REQUIRE(out.labels.values == expected.values);
  }
}

TEST_CASE("limits of its own hold beside the budget's", "[segment_memory][unit]") {
  Random random(8304);
  INFO(random.note());
  const Layers layers = {random_layer<float>(random, 1, {8, 9}, {8, 9}, 0.01)};
  SegmentOptions options{.compare = {.anchors = {4, 4}, .match_limit = 1151}};
  for (const Index budget : {Index{0}, Index{1} << 40}) {
    options.memory_budget = budget;
    REQUIRE_THAT(complaint([&] { (void)segment(layers, options); }),
                 Contains("Compare: match_limit must be at least 1152, as many pairs lie below "
                          "the threshold, got 1151"));
  }
  options.compare.match_limit = 1152;
  REQUIRE(segment(layers, options).count() == 1);
  options.merge.match_limit = 255;
  REQUIRE_THAT(complaint([&] { (void)segment(layers, options); }),
               Contains("Merge: match_limit must be at least 256"));
  options.merge.match_limit = -1;
  REQUIRE_THAT(complaint([&] { (void)segment(layers, options); }),
               Contains("Merge: match_limit must be >= 0, got -1"));
}

TEST_CASE("what cannot be foretold is refused", "[segment_memory][unit]") {
  const Layers layers = unread({8, 8}, {4, 4});
  for (const double share : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    REQUIRE_THROWS_AS(segment_memory(layers, {}, share), std::invalid_argument);
  }
  REQUIRE_THROWS_AS(segment_memory({}), std::invalid_argument);
  REQUIRE_THROWS_AS(segment_memory(layers, {.aggregate = {.grid = {0, 4}}}), std::invalid_argument);
}
