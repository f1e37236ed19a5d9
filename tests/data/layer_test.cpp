// SPDX-License-Identifier: MIT
#include <cstdint>
#include <diffseg/data/layer.hpp>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"

using namespace diffseg;
using support::complaint;
using support::Contains;

TEST_CASE("a view of a layer knows its element type and keeps nothing alive", "[layer]") {
  const std::vector<float> single(4);
  const std::vector<double> twice(4);
  const std::vector<Eigen::half> half(4);
  const std::vector<Eigen::bfloat16> brain(4);
  REQUIRE(Layer::view(single.data(), 1, {1, 2}).type == ElementType::f32);
  REQUIRE(Layer::view(twice.data(), 1, {1, 2}).type == ElementType::f64);
  REQUIRE(Layer::view(half.data(), 1, {1, 2}).type == ElementType::f16);
  REQUIRE(Layer::view(brain.data(), 1, {1, 2}).type == ElementType::bf16);
  const Layer layer = Layer::view(single.data(), 1, {1, 2});
  REQUIRE(layer.data == single.data());
  REQUIRE(layer.queries == GridSize{1, 2});
  REQUIRE(layer.keys == layer.queries);
  REQUIRE(layer.owner == nullptr);
}

TEST_CASE("an owning layer lives as long as its last copy", "[layer]") {
  std::weak_ptr<const void> watch;
  Layers layers;
  {
    const Layer layer = Layer::owning(std::vector<float>{1, 2, 3, 4}, 1, {1, 2});
    watch = layer.owner;
    layers.push_back(layer);
  }
  REQUIRE_FALSE(watch.expired());
  REQUIRE(static_cast<const float*>(layers[0].data)[3] == 4.0F);
  layers.clear();
  REQUIRE(watch.expired());
}

TEST_CASE("a layer may have keys on another grid than its queries", "[layer][unit]") {
  const std::vector<float> numbers(2 * 3 * 8, 0.125F);
  const Layer layer = Layer::view(numbers.data(), 2, {1, 3}, {2, 4});
  REQUIRE(layer.queries == GridSize{1, 3});
  REQUIRE(layer.keys == GridSize{2, 4});
  REQUIRE(layer.head_step() == 24);
  REQUIRE(Layer::owning(numbers, 2, {1, 3}, {2, 4}).bytes() == 4 * 48);
}

TEST_CASE("a layer that owns its numbers has as many as its sizes say", "[layer][unit]") {
  // The heads forgotten: one head of numbers for eight.
  REQUIRE(complaint([] {
            (void)Layer::owning(std::vector<float>(256 * 256), 8, {16, 16});
          }) == "Layer: values must be 524288 for the sizes given, got 65536");
  REQUIRE(complaint([] {
            (void)Layer::owning(std::vector<float>(5), 1, {1, 2});
          }) == "Layer: values must be 4 for the sizes given, got 5");
  constexpr Index far = Index{1} << 40;
  REQUIRE_THAT(complaint([] {
                 (void)Layer::owning(std::vector<float>(4), 1, {far, far});
               }),
               Contains("Layer: values must be -1"));
  const float number = 1;
  REQUIRE(complaint([&] {
            (void)Layer::view(&number, 0, {1, 1});
          }) == "Layer: heads must be >= 1, got 0");
}

TEST_CASE("a sparse layer that owns its rows has as many as its sizes say", "[layer][unit]") {
  using Values = std::vector<float>;
  using Columns = std::vector<std::int32_t>;
  using Starts = std::vector<Index>;
  const auto text = [](Values values, Columns columns, Starts starts) {
    return complaint([&] {
      (void)Layer::owning(std::move(values), std::move(columns), std::move(starts), 2, {1, 2});
    });
  };
  REQUIRE(text({1, 1}, {0, 1}, {0, 1, 1, 2, 2}) == "no error");
  // 2 numbers of 4 bytes with a column of 4 each, 5 starts of 8.
  const Layer layer = Layer::owning(Values{1, 1}, Columns{0, 1}, Starts{0, 1, 1, 2, 2}, 2, {1, 2});
  REQUIRE(layer.bytes() == 2 * (4 + 4) + 5 * 8);
  REQUIRE(text({1, 1}, {0}, {0, 1, 1, 2, 2}) ==
          "Layer: columns must be 2 for the sizes given, got 1");
  REQUIRE(text({1}, {0}, {0, 1}) ==
          "Layer: row_starts less one must be 4 for the sizes given, got 1");
  REQUIRE(text({1, 1}, {0, 1}, {0, 1, 1, 2, 3}) ==
          "Layer: values must be 3 for the sizes given, got 2");
  REQUIRE(text({1}, {0}, {}) == "Layer: row_starts must not be empty");
  REQUIRE_THAT(text({1, 1}, {0, 1}, {0, 2, 1, 2, 2}), Contains("row_starts must rise"));
  REQUIRE_THAT(text({1}, {0}, {-1, 0, 0, 0, 1}), Contains("row_starts must be >= 0, got -1"));
}

TEST_CASE("strides that lead beyond memory are refused by their number", "[layer][unit]") {
  const std::vector<float> numbers(256, 0.0625F);
  const auto text = [&](auto change) {
    Layer layer = Layer::view(numbers.data(), 1, {4, 4});
    change(layer);
    return complaint([&] { layer.check("Stage", 3); });
  };
  for (const Index far : {Index{1} << 60, std::numeric_limits<Index>::max()}) {
    REQUIRE(text([&](Layer& layer) { layer.row_stride = far; }) ==
            "Stage: layer 3: strides must not lead beyond what can be addressed, got " +
                std::to_string(far) + " for rows and 0 for heads");
    REQUIRE_THAT(text([&](Layer& layer) { layer.head_stride = far; }),
                 Contains("got 0 for rows and " + std::to_string(far) + " for heads"));
  }
  REQUIRE_THAT(text([](Layer& layer) { layer.heads = Index{1} << 60; }),
               Contains("sizes must multiply without overflow"));
  REQUIRE_THAT(text([](Layer& layer) {
                 layer.keys = {Index{1} << 40, Index{1} << 40};
               }),
               Contains("the grid of the keys must be at least 1 x 1, its cells countable"));
}

TEST_CASE("a refusal tells the layer's name", "[layer][unit]") {
  const std::vector<float> numbers(16, 0.25F);
  Layer layer = Layer::view(numbers.data(), 1, {2, 2});
  layer.name = "down.0.attn1";
  layer.scale = -1;
  REQUIRE(complaint([&] { layer.check("Stage", 5); }) ==
          "Stage: layer 5 'down.0.attn1': scale must be finite and >= 0, got -1");
  REQUIRE(complaint([&] { layer.check("Stage"); }) ==
          "Stage: layer 'down.0.attn1': scale must be finite and >= 0, got -1");
}

TEST_CASE("checking a sparse layer costs less than reading it", "[layer][unit]") {
  // 32768 rows: no message is written for those that are sound, so none is allocated.
  const std::vector<float> values(8 * 4096, 1.0F);
  const std::vector<std::int32_t> columns(values.size(), 0);
  std::vector<Index> starts(values.size() + 1);
  for (std::size_t i = 0; i < starts.size(); ++i) starts[i] = static_cast<Index>(i);
  const Layer layer =
      Layer::compressed_rows(values.data(), columns.data(), starts.data(), 8, {64, 64});
  REQUIRE_NOTHROW(layer.check("Stage"));
  starts[20000] = 20005;
  REQUIRE(complaint([&] { layer.check("Stage", 0); }) ==
          "Stage: layer 0: row_starts must rise by 0 .. 4096 numbers a row, got 20005 and 20001 at "
          "head 4, query 3616");
}
