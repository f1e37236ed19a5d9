// SPDX-License-Identifier: MIT
#include <algorithm>
#include <diffseg/diffseg.hpp>
#include <limits>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using support::Random;

namespace {

/// Layers that hold a few regions: a cell looks at the cells of its own region, more or less.
Layers regions(Random& random) {
  Layers layers;
  for (const GridSize grid : {GridSize{16, 12}, {8, 6}, {5, 7}}) {
    std::vector<float> values;
    const auto region = [&](Index token) {
      const double y =
          (static_cast<double>(token / grid.width) + 0.5) / static_cast<double>(grid.height);
      const double x =
          (static_cast<double>(token % grid.width) + 0.5) / static_cast<double>(grid.width);
      return (y + 0.4 * x < 0.6 ? 1 : 0) + (x > 0.55 ? 2 : 0);
    };
    for (Index row = 0; row < 2 * grid.cells(); ++row) {
      for (Index key = 0; key < grid.cells(); ++key) {
        const double near = region(row % grid.cells()) == region(key) ? 1 : 0.1;
        values.push_back(static_cast<float>(near * random.uniform(0.5, 1)));
      }
    }
    layers.push_back(Layer::owning(std::move(values), 2, grid));
  }
  return layers;
}

const SegmentOptions& options() {
  static const SegmentOptions result{.compare = {.anchors = {6, 5}},
                                     .merge = {.thresholds = {0.4, 0.4, 0.5}},
                                     .assign = {.size = {50, 41}}};
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("segment is the stages written out", "[segment][law]", float, double) {
  Random random(1101);
  INFO(random.note());
  const auto layers = regions(random);
  const Labels labels = segment<TestType>(layers, options());
  REQUIRE(labels.count() >= 2);
  REQUIRE(labels.size == GridSize{50, 41});

  Maps<TestType> maps;
  Aggregate{}(layers, maps);
  const auto similarities = Compare{.anchors = {6, 5}, .ceiling = 0.4}(maps);
  const auto proposals = Merge{.thresholds = {0.4, 0.4, 0.5}}(similarities);
  const auto expected = Assign{.size = {50, 41}}(proposals);
  REQUIRE(labels.values == expected.values);
  REQUIRE(labels.proposals == expected.proposals);

  const auto chain = Aggregate{}.as<TestType>() | Compare{.anchors = {6, 5}, .ceiling = 2} |
                     Merge{.thresholds = {0.4, 0.4, 0.5}} | Assign{.size = {50, 41}};
  REQUIRE(chain(layers).values == expected.values);
}

TEST_CASE("a lambda is a stage of a pipeline", "[segment][unit]") {
  Random random(1102);
  INFO(random.note());
  const auto layers = regions(random);
  Index seen = 0;
  const auto watch = [&](Proposals<float> proposals) {
    seen = proposals.rows.rows();
    return proposals;
  };
  const auto first_only = [](const Layers& all) { return Layers{all.front()}; };
  const auto chain = first_only | Aggregate{} | Compare{.anchors = {6, 5}} |
                     Merge{.thresholds = {0.4, 0.4}} | watch | Assign{.size = {16, 12}};
  const Labels labels = chain(layers);
  REQUIRE(seen >= labels.count());
  REQUIRE(labels.values == segment({layers.front()}, {.compare = {.anchors = {6, 5}},
                                                      .merge = {.thresholds = {0.4, 0.4}},
                                                      .assign = {.size = {16, 12}}})
                               .values);
}

TEMPLATE_TEST_CASE("a segmentation that is handed in again is used again", "[segment][law]", float,
                   double) {
  Random random(1103);
  INFO(random.note());
  const auto layers = regions(random);
  const auto other = regions(random);
  Segmentation<TestType> state;
  segment(layers, options(), state);
  const Labels expected = state.labels;
  const TestType* const maps = state.maps.rows().data();
  const auto* const labels = state.labels.values.data();

  segment(other, options(), state);
  REQUIRE(state.maps.rows().data() == maps);
  segment(layers, options(), state);
  REQUIRE(state.labels.values == expected.values);
  REQUIRE(state.labels.proposals == expected.proposals);
  REQUIRE(state.maps.rows().data() == maps);
  REQUIRE(state.labels.values.data() == labels);
  REQUIRE(&state.similarities.maps.rows() == &state.maps.rows());
  REQUIRE(&state.proposals.maps.rows() == &state.maps.rows());

  const Maps<TestType> kept = state.maps;  // someone holds the maps: they must not change
  const Matrix<TestType> before = kept.rows();
  segment(other, options(), state);
  REQUIRE(kept.rows() == before);
  REQUIRE(state.maps.rows().data() != kept.rows().data());
}

TEMPLATE_TEST_CASE("what an earlier image has left behind changes no bit", "[segment][law][long]",
                   float, double) {
  Random random(1106);
  INFO(random.note());
  Segmentation<TestType> state;
  for (int round = 0; round < 24; ++round) {
    CAPTURE(round);
    const ThreadLimit limit(static_cast<int>(random.integer(1, 4)));
    // Other grids each time, larger and smaller, stored or made of queries and keys.
    const GridSize grid = random.grid(3, 14);
    std::vector<float> values;
    for (Index i = 0; i < 2 * grid.cells() * 3; ++i) {
      values.push_back(static_cast<float>(random.uniform(-2, 2)));
    }
    Layers layers = {support::random_layer<float>(random, 2, grid, grid, 0.7),
                     support::random_layer<double>(random, 1, {2, 3}, {3, 2}, 0.7)};
    if (random.integer(0, 1) == 0) {
      layers[0] = Layer::queries_and_keys(values.data(), values.data(), 2, 3, grid);
    }
    const SegmentOptions some{
        .compare = {.anchors = {random.integer(1, grid.height), random.integer(1, grid.width)}},
        .merge = {.thresholds = {random.uniform(0.1, 0.8), random.uniform(0.01, 0.3)}},
        .assign = {.size = random.grid(1, 60)}};
    if (round % 5 == 4) {  // a refusal in the middle of an image
      auto bad = layers;
      values.back() = std::numeric_limits<float>::quiet_NaN();
      bad.push_back(Layer::queries_and_keys(values.data(), values.data(), 2, 3, grid));
      REQUIRE_THROWS_AS(segment(bad, some, state), std::invalid_argument);
      values.back() = 1;
    }
    segment(layers, some, state);
    Segmentation<TestType> fresh;
    segment(layers, some, fresh);
    REQUIRE(state.maps.rows() == fresh.maps.rows());
    REQUIRE(state.similarities.evaluated == fresh.similarities.evaluated);
    REQUIRE(Matrix<TestType>(state.similarities.divergences) ==
            Matrix<TestType>(fresh.similarities.divergences));
    REQUIRE(state.similarities.divergences.nonZeros() == fresh.similarities.divergences.nonZeros());
    REQUIRE(state.proposals.rows == fresh.proposals.rows);
    REQUIRE(state.proposals.anchors == fresh.proposals.anchors);
    REQUIRE(state.proposals.row_counts == fresh.proposals.row_counts);
    REQUIRE(state.labels.values == fresh.labels.values);
    REQUIRE(state.labels.proposals == fresh.labels.proposals);
  }
}

TEMPLATE_TEST_CASE("segment has the same bits for any number of threads", "[segment][law]", float,
                   double) {
  Random random(1104);
  INFO(random.note());
  const auto layers = regions(random);
  Segmentation<TestType> expected;
  {
    const ThreadLimit limit(1);
    segment(layers, options(), expected);
  }
  for (const int threads : {2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    Segmentation<TestType> state;
    segment(layers, options(), state);
    REQUIRE(state.maps.rows() == expected.maps.rows());
    const auto& found = state.similarities.divergences;
    const auto& wanted = expected.similarities.divergences;
    REQUIRE(found.nonZeros() == wanted.nonZeros());
    REQUIRE(std::equal(found.valuePtr(), found.valuePtr() + found.nonZeros(), wanted.valuePtr()));
    REQUIRE(std::equal(found.innerIndexPtr(), found.innerIndexPtr() + found.nonZeros(),
                       wanted.innerIndexPtr()));
    REQUIRE(state.similarities.evaluated == expected.similarities.evaluated);
    REQUIRE(state.proposals.rows == expected.proposals.rows);
    REQUIRE(state.labels.values == expected.labels.values);
  }
}

TEMPLATE_TEST_CASE("a photo goes through the whole library", "[segment][law]", float, double) {
  // Dark left of a diagonal, bright right of it.
  Image<TestType> photo{{60, 90}, 3, {}};
  for (Index i = 0; i < 60 * 90; ++i) {
    const bool dark = i % 90 < 45 + (i / 90 - 30) / 3;
    const auto value = dark ? TestType(0.15) : TestType(0.85);
    photo.values.insert(photo.values.end(), {value, value, TestType(0.3)});
  }
  const Labels labels =
      segment<TestType>(Affinity{.cells = 1024}(photo), {.compare = {.anchors = {8, 8}},
                                                         .merge = {.thresholds = {1.3, 1.3, 1.3}},
                                                         .assign = {.size = photo.size}});
  REQUIRE(labels.size == photo.size);
  REQUIRE(labels.count() >= 2);
  REQUIRE(labels.values.front() != labels.values.back());
  REQUIRE(labels.values[0] == labels.values[59 * 90]);
}

TEST_CASE("presets are the stages written out", "[segment][law]") {
  Random random(1106);
  INFO(random.note());
  const Layers layers = {support::random_layer<float>(random, 2, {17, 35}, {17, 35}, 2),
                         support::random_layer<float>(random, 1, {9, 18}, {9, 18}, 2)};
  Segmentation<float> state;
  for (const auto& [preset, shrink, grid] :
       {std::tuple(SegmentOptions::exact(), 1, GridSize{17, 35}),
        std::tuple(SegmentOptions::balanced(), 2, GridSize{9, 18}),
        std::tuple(SegmentOptions::fast(), 4, GridSize{5, 9})}) {
    CAPTURE(shrink);
    segment(layers, preset, state);
    REQUIRE(state.maps.grid() == grid);
    const GridSize anchors{std::min<Index>(16, grid.height), std::min<Index>(16, grid.width)};
    const auto maps = Aggregate{.grid = grid, .sample = shrink > 1}(layers);
    const Labels expected = Assign{}(Merge{}(Compare{.anchors = anchors}(maps)));
    REQUIRE(state.labels.values == expected.values);
    REQUIRE(state.labels.size == GridSize{512, 512});
  }
  REQUIRE(segment(layers, SegmentOptions::exact()).values == segment(layers).values);
}

TEST_CASE("presets take layers of any grid", "[segment][law]") {
  Random random(1107);
  INFO(random.note());
  for (const GridSize grid : {GridSize{1, 1}, {1, 7}, {3, 3}, {8, 8}, {5, 40}, {24, 10}}) {
    CAPTURE(grid.height, grid.width);
    const Layers layers = {support::random_layer<float>(random, 1, grid, grid)};
    for (auto options :
         {SegmentOptions::exact(), SegmentOptions::balanced(), SegmentOptions::fast()}) {
      options.assign.size = {20, 30};
      const Labels labels = segment(layers, options);
      REQUIRE(labels.count() >= 1);
      REQUIRE(labels.size == GridSize{20, 30});
    }
  }
}

TEST_CASE("segment refuses what its stages refuse", "[segment]") {
  Random random(1105);
  const auto layers = regions(random);
  auto bad = options();
  bad.merge.thresholds = {};
  REQUIRE_THROWS_WITH(segment(layers, bad), "Merge: thresholds must not be empty");
  bad = options();
  bad.compare.anchors = {17, 5};
  REQUIRE_THROWS_WITH(segment(layers, bad),
                      "Compare: anchors must be within 1 x 1 .. 16 x 12, got 17 x 5");
  bad = options();
  bad.assign.size = {0, 0};
  REQUIRE_THROWS_AS(segment(layers, bad), std::invalid_argument);
  REQUIRE_THROWS_AS(segment({}, options()), std::invalid_argument);
}
