// SPDX-License-Identifier: MIT
#include <atomic>
#include <diffseg/data/maps.hpp>
#include <thread>

#include "support/catch.hpp"
#include "support/complaint.hpp"

using namespace diffseg;
using support::complaint;
using support::Contains;

TEMPLATE_TEST_CASE("copies of maps share their numbers", "[maps]", float, double) {
  const Maps<TestType> maps({1, 2}, Matrix<TestType>::Constant(2, 2, TestType(0.5)));
  const Maps<TestType> copy = maps;  // NOLINT(performance-unnecessary-copy-initialization)
  REQUIRE(maps.tokens() == 2);
  REQUIRE_FALSE(maps.empty());
  REQUIRE(&copy.rows() == &maps.rows());
  REQUIRE(Maps<TestType>{}.empty());
}

TEMPLATE_TEST_CASE("reset keeps the storage of maps nobody shares", "[maps]", float, double) {
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

TEST_CASE("maps have a row and a column for each cell of their grid", "[maps][unit]") {
  REQUIRE(complaint([] {
            (void)Maps<float>({2, 3}, Matrix<float>(6, 5));
          }) == "Maps: rows must be [T x T] for a grid of 2 x 3 cells, got 6 x 5");
  REQUIRE(complaint([] {
            (void)Maps<float>({0, 3}, Matrix<float>());
          }) == "Maps: the grid must be at least 1 x 1, got 0 x 3");
  REQUIRE_THAT(complaint([] {
                 (void)Maps<float>({Index{1} << 31, 1}, Matrix<float>());
               }),
               Contains("sizes must multiply without overflow, got maps of 2147483648 x 1 cells"));
  Maps<float> maps({1, 2}, Matrix<float>::Constant(2, 2, 0.5F));
  REQUIRE_THROWS_AS(maps.reset({-1, 2}), std::invalid_argument);
  REQUIRE(maps.rows()(1, 1) == 0.5F);
  REQUIRE(complaint([] { Maps<float>{}.check("Stage"); }) == "Stage: maps must not be empty");
}

TEST_CASE("maps that memory cannot hold are empty and the next ones are not", "[maps][unit]") {
  Maps<float> maps({4, 4}, Matrix<float>::Constant(16, 16, 0.0625F));
  REQUIRE_THROWS_AS(maps.reset({40000, 1000}), std::bad_alloc);
  REQUIRE(maps.empty());
  REQUIRE(maps.rows().size() == 0);
  REQUIRE(maps.reset({2, 2}).size() == 16);
}

TEST_CASE("what the last reader of shared maps did is over when they are written", "[maps]") {
  // For the thread sanitizer: the storage is used again, and the reader's last look is ordered.
  for (int round = 0; round < 50; ++round) {
    Maps<float> maps({4, 4}, Matrix<float>::Constant(16, 16, 0.0625F));
    const float* const place = maps.rows().data();
    std::atomic<float> sum{0};
    std::thread reader([&sum, copy = maps]() mutable {
      sum = copy.rows().sum();
      copy = {};
    });
    const bool kept = maps.reset({4, 4}).setConstant(2).data() == place;
    reader.join();
    REQUIRE(sum == Approx(16));
    REQUIRE((kept || maps.rows().data() != place));
  }
}
