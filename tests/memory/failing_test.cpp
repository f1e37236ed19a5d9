// SPDX-License-Identifier: MIT
// Every stage with every one of its allocations failing in turn, and with input that is wrong at
// its very end: the result is whole or empty, nothing leaks, the next call is right. A program of
// its own.
#include <algorithm>
#include <compiled/float.hpp>
#include <cstddef>
#include <cstring>
#include <diffseg/attention/layer_parts.hpp>
#include <diffseg/attention/sinks.hpp>
#include <diffseg/attention/top_k.hpp>
#include <diffseg/labels/evaluate.hpp>
#include <functional>
#include <limits>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/failing_heap.hpp"
#include "support/proposals.hpp"
#include "support/random.hpp"
#include "support/same.hpp"

namespace {

using support::held;
using support::spared;
using support::until_failure;

using namespace diffseg;
using support::Random;

bool same(const Matrix<float>& a, const Matrix<float>& b) {
  return support::same_bits(a, b);
}
bool same(const Maps<float>& a, const Maps<float>& b) {
  if (a.empty() || b.empty()) return a.empty() == b.empty();
  return a.grid() == b.grid() && same(a.rows(), b.rows());
}
bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return a == b;
}
bool same(const Layers& a, const Layers& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Layer& x, const Layer& y) {
    return x.queries == y.queries && x.bytes() == y.bytes() &&
           std::memcmp(x.data, y.data, static_cast<std::size_t>(x.bytes())) == 0;
  });
}
bool same(const Image<float>& a, const Image<float>& b) {
  return a.size == b.size && a.channels == b.channels && a.values == b.values;
}
bool same(const CrossMaps<float>& a, const CrossMaps<float>& b) {
  return a.size == b.size && a.tokens == b.tokens && same(a.values, b.values);
}
bool same(const Similarities<float>& a, const Similarities<float>& b) {
  const auto numbers = [](const auto& s) {
    return std::span(s.divergences.valuePtr(), static_cast<std::size_t>(s.divergences.nonZeros()));
  };
  return same(a.maps, b.maps) && a.anchors == b.anchors && a.evaluated == b.evaluated &&
         std::ranges::equal(numbers(a), numbers(b));
}
bool same(const Proposals<float>& a, const Proposals<float>& b) {
  return same(a.maps, b.maps) && same(a.rows, b.rows) && a.anchors == b.anchors &&
         a.row_counts == b.row_counts && a.per_iteration == b.per_iteration;
}
bool same(const std::vector<SweepPoint>& a, const std::vector<SweepPoint>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.threshold == y.threshold && x.segments == y.segments &&
           x.information == y.information && x.entropy == y.entropy;
  });
}
bool same(const Labels& a, const Labels& b) {
  return a.size == b.size && a.values == b.values && a.proposals == b.proposals;
}
bool same(const Names& a, const Names& b) {
  return a.nouns == b.nouns && a.groups.size() == b.groups.size();
}
bool same(const Segmentation<float>& a, const Segmentation<float>& b) {
  return same(a.maps, b.maps) && same(a.similarities, b.similarities) &&
         same(a.proposals, b.proposals) && same(a.labels, b.labels);
}

/// Of the calls of one test, where it has one.
Workspace& scratch() {
  static Workspace instance;
  return instance;
}

/// So that grids and resamplers are built again.
void forget() {
  detail::resampler_cache<float>().clear();
  detail::resampler_cache<double>().clear();
  detail::sampling_grid_cache().clear();
}

/// What a call of `run` is made with while its allocations fail.
struct Circumstances {
  bool reused = false;  // out holds the other image's result
  bool cold = false;    // nothing is in caches or scratch
};

/// What two images make of one another in the same result: `run(0, out)` and `run(1, out)`.
template <class Result>
struct Turns {
  std::function<void(int, Result&)> run;

  /// Empty, or one of the two images' whole result.
  [[nodiscard]] bool is_sound(const Result& out, const Result (&whole)[2]) const {
    return same(out, Result{}) || same(out, whole[0]) || same(out, whole[1]);
  }

  /// Lets allocation 0, 1, 2 .. fail until a run needs no more; returns how many failed.
  long fail_each(const Result (&whole)[2], Circumstances given, Result& out) const {
    long failures = 0;
    for (long index = 0;; ++index) {
      out = Result{};
      if (given.reused) run(0, out);
      if (given.cold) forget();
      if (given.cold) scratch().clear();
      bool failed = false;
      until_failure = index;
      try {
        run(1, out);
      } catch (const std::bad_alloc&) {
        failed = true;
      }
      until_failure = -1;
      REQUIRE(is_sound(out, whole));
      if (!failed) return failures;
      ++failures;
      run(1, out);
      REQUIRE(same(out, whole[1]));
    }
  }

  /// Allocations held once both images were seen, beyond results: caches and threads.
  long settled() const {
    forget();
    const ThreadLimit two(2);
    for (int image : {0, 1}) {
      Result out;
      run(image, out);
    }
    scratch().clear();
    return held;
  }

  void check() const {
    Result whole[2];
    for (int image : {0, 1}) run(image, whole[image]);
    REQUIRE_FALSE(same(whole[0], whole[1]));
    const long before = settled();
    {
      const ThreadLimit one(1);
      Result out;
      CHECK(fail_each(whole, {}, out) > 0);
      REQUIRE(same(out, whole[1]));
      fail_each(whole, {.reused = true, .cold = true}, out);
      REQUIRE(same(out, whole[1]));
    }
    {
      // With threads only what is too large to be OpenMP's own, which ends the process.
      const ThreadLimit two(2);
      spared = 16384;
      Result out;
      fail_each(whole, {.reused = true}, out);
      spared = 0;
    }
    CHECK(settled() == before);
  }
};

template <class Result, class Run>
void check_turns(const Run& run) {
  Turns<Result>{run}.check();
}

/// Two images of other numbers and sizes.
struct Images {
  Random random{9051};
  GridSize grids[2] = {{9, 8}, {6, 11}};
  Layers layers[2], products[2], cross[2], sparse[2];
  Maps<float> maps[2];
  Similarities<float> similarities[2];
  Proposals<float> proposals[2];
  Labels labels[2], fitted_from[2];
  CrossMaps<float> cross_maps[2];
  Image<float> photos[2];
  std::vector<std::vector<float>> numbers;

  Images() {
    for (int i : {0, 1}) {
      const GridSize grid = grids[i], coarse{3, 4};
      layers[i] = {support::random_layer<float>(random, 2, grid, grid),
                   support::random_layer<Eigen::half>(random, 3, coarse, coarse)};
      cross[i] = {support::random_layer<float>(random, 2, coarse, {1, 5})};
      for (int k = 0; k < 2; ++k) numbers.push_back(random_numbers(2 * grid.cells() * 8));
      products[i] = {
          Layer::queries_and_keys(numbers.end()[-1].data(), numbers.end()[-2].data(), 2, 8, grid),
          layers[i][1]};
      maps[i] = Aggregate{}(layers[i]);
      similarities[i] = Compare{.anchors = {3, 3}}(maps[i]);
      proposals[i] = support::some_proposals(maps[i], 4);
      labels[i] = Assign{.size = {40, 30 + i}}(proposals[i]);
      cross_maps[i] = AggregateCross{.size = {40, 30 + i}}(cross[i]);
      photos[i] = {{20 + i, 31}, 3, random_numbers((20 + i) * 31 * 3)};
      fitted_from[i] = Assign{.size = photos[i].size}(proposals[i]);
    }
  }

  std::vector<float> random_numbers(Index count) {
    std::vector<float> values;
    for (Index i = 0; i < count; ++i) values.push_back(static_cast<float>(random.uniform()));
    return values;
  }
};

Images& images() {
  static Images instance;
  return instance;
}

}  // namespace

TEST_CASE("an allocation that fails is a bad_alloc", "[failing][unit]") {
  until_failure = 1;
  const std::vector<float> first(100);
  REQUIRE_THROWS_AS(std::vector<float>(100), std::bad_alloc);
  until_failure = -1;
  REQUIRE(std::vector<float>(100).size() == 100);
}

TEST_CASE("a message is whole or a bad_alloc", "[failing][unit]") {
  const std::string word(3000, 'x');
  long index = 0;
  for (bool failed = true; failed; ++index) {
    failed = false;
    std::string text;
    until_failure = index;
    try {
      text = detail::message(word, ' ', 7, word);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    until_failure = -1;
    REQUIRE(text == (failed ? "" : word + " 7" + word));
  }
  REQUIRE(index > 3);
}

TEST_CASE("a cache is as it was when memory runs out", "[failing][law]") {
  using Numbers = std::vector<int>;
  detail::Cache<Numbers, Numbers> cache(2);
  const auto of = [](int value) { return Numbers(40, value); };
  const auto keep = [&](int value) { return cache.get(of(value), [&] { return of(value); }); };
  (void)keep(1);
  (void)keep(2);
  long index = 0;
  for (bool failed = true; failed; ++index) {
    const auto before = cache.statistics();
    failed = false;
    until_failure = index;
    try {
      (void)keep(3);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    until_failure = -1;
    const auto after = cache.statistics();
    REQUIRE(after.misses == before.misses + (failed ? 0 : 1));
    REQUIRE(*keep(2) == of(2));
  }
  REQUIRE(index > 4);
  REQUIRE(*keep(3) == of(3));
  REQUIRE(cache.statistics().entries == 2);
}

TEST_CASE("Aggregate is whole or empty when memory runs out", "[failing][law]") {
  Workspace& workspace = scratch();
  for (const Layers* layers : {images().layers, images().products}) {
    check_turns<Maps<float>>(
        [&](int i, Maps<float>& out) { Aggregate{}(layers[i], out, workspace); });
  }
}

TEST_CASE("AggregateStream is whole or empty when memory runs out", "[failing][law]") {
  check_turns<Maps<float>>([&](int i, Maps<float>& out) {
    AggregateStream<float> stream(images().grids[i]);
    for (const Layer& layer : images().layers[i]) stream.add(layer);
    stream.finish(out);
  });
}

TEST_CASE("AggregateCross is whole or empty when memory runs out", "[failing][law]") {
  Workspace& workspace = scratch();
  check_turns<CrossMaps<float>>([&](int i, CrossMaps<float>& out) {
    AggregateCross{.size = {17 + i, 20}}(images().cross[i], out, workspace);
  });
}

TEST_CASE("Downsample is whole or empty when memory runs out", "[failing][law]") {
  Workspace& workspace = scratch();
  const Downsample stage{.size = {4, 5}};
  check_turns<Maps<float>>(
      [&](int i, Maps<float>& out) { stage(images().maps[i], out, workspace); });
  check_turns<Layers>([&](int i, Layers& out) { stage(images().layers[i], out, workspace); });
  check_turns<Image<float>>([&](int i, Image<float>& out) {
    DownsamplePhoto{.size = {7, 9}}(images().photos[i], out, workspace);
  });
}

TEST_CASE("Affinity is whole or empty when memory runs out", "[failing][law]") {
  check_turns<Layers>([&](int i, Layers& out) { Affinity{.cells = 64}(images().photos[i], out); });
}

TEST_CASE("Compare is whole or empty when memory runs out", "[failing][law]") {
  Workspace& workspace = scratch();
  check_turns<Similarities<float>>([&](int i, Similarities<float>& out) {
    Compare{.anchors = {3, 3 + i}}(images().maps[i], out, workspace);
  });
}

TEST_CASE("Merge is whole or empty when memory runs out", "[failing][law]") {
  Workspace& workspace = scratch();
  check_turns<Proposals<float>>(
      [&](int i, Proposals<float>& out) { Merge{}(images().similarities[i], out, workspace); });
}

TEST_CASE("Sweep and Choose find the same after memory has run out", "[failing][law]") {
  Workspace& workspace = scratch();
  check_turns<std::vector<SweepPoint>>([&](int i, std::vector<SweepPoint>& out) {
    out = Sweep{.thresholds = {0.2 + 0.1 * i, 0.5}}(images().similarities[i], workspace);
  });
  check_turns<std::vector<SweepPoint>>([&](int i, std::vector<SweepPoint>& out) {
    out = {Choose{.segments = 2, .steps = 4}(images().similarities[i]), {.threshold = 1.0 + i}};
  });
}

TEST_CASE("refinements are whole or empty when memory runs out", "[failing][law]") {
  check_turns<Proposals<float>>(
      [&](int i, Proposals<float>& out) { Refine{}(images().proposals[i], out); });
  for (const auto mode : {RefineProjected::Mode::passes, RefineProjected::Mode::minibatch}) {
    const RefineProjected stage{.mode = mode, .components = 5, .batch = 20};
    check_turns<Proposals<float>>(
        [&](int i, Proposals<float>& out) { stage(images().proposals[i], out); });
  }
}

TEST_CASE("Assign and what follows it are whole or empty when memory runs out", "[failing][law]") {
  Workspace& workspace = scratch();
  check_turns<Labels>([&](int i, Labels& out) {
    Assign{.size = {40, 30 + i}}(images().proposals[i], out, workspace);
  });
  check_turns<Labels>(
      [&](int i, Labels& out) { Tidy{.min_area = 0.02, .split = true}(images().labels[i], out); });
  check_turns<Labels>([&](int i, Labels& out) {
    FitBorders{.radius = 3}(images().fitted_from[i], images().photos[i], out, workspace);
  });
  check_turns<Names>([&](int i, Names& out) {
    const Name stage{{{"one", 0, 1 + i}, {"two", 2, 3}}};
    stage(images().cross_maps[i], images().labels[i], out);
  });
}

TEST_CASE("segment is whole or empty when memory runs out", "[failing][law]") {
  SegmentOptions options{.compare = {.anchors = {3, 3}}, .assign = {.size = {30, 30}}};
  check_turns<Segmentation<float>>(
      [&](int i, Segmentation<float>& out) { segment(images().layers[i], options, out); });
  options.aggregate.shrink = 2;
  check_turns<Segmentation<float>>(
      [&](int i, Segmentation<float>& out) { segment(images().products[i], options, out); });
}

TEST_CASE("layers made of others are right after memory has run out", "[failing][law]") {
  const auto check = [](const auto& change) {
    check_turns<Maps<float>>([&](int i, Maps<float>& out) {
      Aggregate{}({change(images().layers[i][0]), images().layers[i][1]}, out);
    });
  };
  check([](const Layer& layer) { return top_k(layer, 5); });
  check([](const Layer& layer) { return keep_mass(layer, 0.7); });
  check([](const Layer& layer) { return leave_out_sinks(layer, 0.02); });
  check([](const Layer& layer) { return select_heads(layer, 1, 1); });
}

TEST_CASE("scores are right after memory has run out", "[failing][law]") {
  check_turns<std::vector<double>>([](int i, std::vector<double>& out) {
    const Labels& truth = images().fitted_from[i];
    Labels predicted = truth;
    for (std::size_t at = 0; at < predicted.values.size(); at += 3) predicted.values[at] = 0;
    const PartitionScores scores = score(predicted, std::vector<Labels>{truth, predicted});
    const BoundaryScores borders = score_boundaries(predicted, truth);
    const SparseCounts table = sparse_confusion(predicted, truth, 9, predicted.count());
    const ClassCounts classes = match_classes(table, Unmatched::false_positives);
    out = {scores.covering,   scores.rand_index, scores.variation_of_information,
           borders.f_measure, borders.recall,    classes.pixel_accuracy(),
           classes.mean_iou()};
  });
}

namespace {

/// What `stage` made stays, or is empty, after it refuses what `spoil` made of the input: for one
/// thread, which gets half-way, and for several.
template <class Result, class Stage, class Input, class Spoil>
void check_refused(const Stage& stage, const Input& good, const Spoil& spoil) {
  Input bad = good;
  spoil(bad);
  for (const int threads : {1, 2, 5}) {
    const ThreadLimit limit(threads);
    Result whole, out;
    stage(good, whole);
    stage(good, out);
    REQUIRE_THROWS_AS(stage(bad, out), std::invalid_argument);
    REQUIRE((same(out, Result{}) || same(out, whole)));
    stage(good, out);
    REQUIRE(same(out, whole));
  }
}

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// The last number of `layer`, in memory of its own.
void spoil_last(Layer& layer, float value) {
  const auto* numbers = static_cast<const float*>(layer.data);
  std::vector<float> copy(numbers, numbers + layer.bytes() / Index{sizeof(float)});
  copy.back() = value;
  layer = Layer::owning(std::move(copy), layer.heads, layer.queries, layer.keys);
}
/// `maps` with another last row.
void spoil_last(Maps<float>& maps, float value) {
  Matrix<float> rows = maps.rows();
  rows.bottomRows(1).setConstant(value);
  maps = {maps.grid(), std::move(rows)};
}

}  // namespace

TEST_CASE("a refused call of attention's stages leaves whole or empty results", "[failing][law]") {
  for (const float bad : {not_a_number, -1.0F}) {
    const auto last = [&](Layers& layers) { spoil_last(layers.front(), bad); };
    check_refused<Maps<float>>(Aggregate{}, images().layers[0], last);
    check_refused<CrossMaps<float>>(AggregateCross{.size = {17, 20}}, images().cross[0], last);
    check_refused<Segmentation<float>>(
        [](const Layers& layers, Segmentation<float>& out) {
          segment(layers, {.compare = {.anchors = {3, 3}}, .assign = {.size = {30, 30}}}, out);
        },
        images().layers[0], last);
  }
  check_refused<Maps<float>>(
      [](const Layers& layers, Maps<float>& out) {
        AggregateStream<float> stream({9, 8});
        for (const Layer& layer : layers) stream.add(layer);
        stream.finish(out);
      },
      images().layers[0], [](Layers& layers) { spoil_last(layers.front(), not_a_number); });
}

TEST_CASE("a refused call of the other stages leaves whole or empty results", "[failing][law]") {
  for (const float bad : {not_a_number, -1.0F, 1.5F}) {
    check_refused<Similarities<float>>(Compare{.anchors = {3, 3}}, images().maps[0],
                                       [&](Maps<float>& maps) { spoil_last(maps, bad); });
    check_refused<Layers>(Affinity{.cells = 64}, images().photos[0],
                          [&](Image<float>& photo) { photo.values.back() = bad; });
  }
  check_refused<Layers>(Downsample{.size = {4, 5}}, images().layers[0],
                        [](Layers& layers) { layers.back().heads = 0; });
  check_refused<Image<float>>(DownsamplePhoto{.size = {7, 9}}, images().photos[0],
                              [](Image<float>& photo) { photo.values.pop_back(); });
  check_refused<Proposals<float>>(Merge{}, images().similarities[0],
                                  [](Similarities<float>& s) { s.anchors.back() = 72; });
  check_refused<Proposals<float>>(Refine{}, images().proposals[0],
                                  [](Proposals<float>& p) { p.rows(3, 71) = not_a_number; });
  check_refused<Proposals<float>>(RefineProjected{}, images().proposals[0],
                                  [](Proposals<float>& p) { p.rows(3, 71) = not_a_number; });
  check_refused<Labels>(Assign{.size = {40, 30}}, images().proposals[0],
                        [](Proposals<float>& p) { p.rows(3, 71) = not_a_number; });
  check_refused<Labels>(Tidy{.min_area = 0.02}, images().labels[0],
                        [](Labels& labels) { labels.values.back() = -5; });
  check_refused<Labels>(
      [](const Labels& labels, Labels& out) { FitBorders{}(labels, images().photos[0], out); },
      images().fitted_from[0], [](Labels& labels) { labels.values.back() = -5; });
  check_refused<Labels>([](const Image<float>& photo,
                           Labels& out) { FitBorders{}(images().fitted_from[0], photo, out); },
                        images().photos[0],
                        [](Image<float>& photo) { photo.values.back() = not_a_number; });
}
