// SPDX-License-Identifier: MIT
#include <cstdint>
#include <diffseg/data/labels.hpp>
#include <diffseg/data/layer.hpp>
#include <diffseg/data/maps.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace diffseg;

TEST_CASE("a grid counts its cells and compares by both sides", "[types]") {
  STATIC_REQUIRE(GridSize{3, 5}.cells() == 15);
  STATIC_REQUIRE(GridSize{3, 5} == GridSize{3, 5});
  STATIC_REQUIRE_FALSE(GridSize{3, 5} == GridSize{5, 3});
  STATIC_REQUIRE(GridSize{}.cells() == 0);
}

TEST_CASE("a view of a layer knows its element type and keeps nothing alive", "[types]") {
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

TEST_CASE("an owning layer lives as long as its last copy", "[types]") {
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

TEMPLATE_TEST_CASE("copies of maps share their numbers", "[types]", float, double) {
  const Maps<TestType> maps({1, 2}, Matrix<TestType>::Constant(2, 2, TestType(0.5)));
  const Maps<TestType> copy = maps;  // NOLINT(performance-unnecessary-copy-initialization)
  REQUIRE(maps.tokens() == 2);
  REQUIRE_FALSE(maps.empty());
  REQUIRE(&copy.rows() == &maps.rows());
  REQUIRE(Maps<TestType>{}.empty());
}

TEMPLATE_TEST_CASE("reset keeps the storage of maps nobody shares", "[types]", float, double) {
  Maps<TestType> maps({2, 2}, Matrix<TestType>::Constant(4, 4, TestType(0.25)));
  const TestType* const place = maps.rows().data();

  SECTION("alone: the same numbers' place") {
    REQUIRE(maps.reset({1, 4}).data() == place);
    REQUIRE(maps.grid() == GridSize{1, 4});
  }
  SECTION("another size: resized") {
    REQUIRE(maps.reset({1, 3}).rows() == 3);
    REQUIRE(maps.rows().cols() == 3);
  }
  SECTION("shared: the copy keeps its numbers") {
    const Maps<TestType> copy = maps;
    maps.reset({2, 2}).setZero();
    REQUIRE(copy.rows().data() == place);
    REQUIRE(copy.rows()(3, 3) == TestType(0.25));
    REQUIRE(maps.rows().data() != place);
  }
  SECTION("empty: made") {
    Maps<TestType> fresh;
    REQUIRE(fresh.reset({1, 2}).size() == 4);
    REQUIRE_FALSE(fresh.empty());
  }
}

TEST_CASE("labels count the proposals that are left", "[types]") {
  REQUIRE(Labels{}.count() == 0);
  REQUIRE(Labels{{1, 2}, {0, 1}, {4, 9}}.count() == 2);
}
