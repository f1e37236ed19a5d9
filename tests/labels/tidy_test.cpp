// SPDX-License-Identifier: MIT
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <diffseg/labels/tidy.hpp>
#include <limits>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/same.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;
using support::same;

namespace {

/// Rows of digits; label i comes from proposal 10 + i.
Labels picture(const std::vector<std::string>& rows) {
  Labels labels;
  labels.size = {static_cast<Index>(rows.size()), static_cast<Index>(rows[0].size())};
  for (const auto& row : rows) {
    for (const char digit : row) labels.values.push_back(digit - '0');
  }
  const auto most = *std::max_element(labels.values.begin(), labels.values.end());
  labels.proposals.resize(static_cast<std::size_t>(most) + 1);
  std::iota(labels.proposals.begin(), labels.proposals.end(), 10);
  return labels;
}

std::vector<std::string> rows_of(const Labels& labels) {
  std::vector<std::string> rows;
  for (Index y = 0; y < labels.size.height; ++y) {
    rows.emplace_back();
    for (Index x = 0; x < labels.size.width; ++x) {
      const auto value = labels.values[static_cast<std::size_t>(y * labels.size.width + x)];
      rows.back().push_back(static_cast<char>('0' + value));
    }
  }
  return rows;
}

using Rows = std::vector<std::string>;
using Ids = std::vector<std::int32_t>;

/// Patches of random labels with specks in them.
Labels random_patches(Random& random, GridSize size, Index count) {
  Labels labels{size, {}, {}};
  const Index patch = random.integer(1, 5);
  std::vector<std::int32_t> coarse;
  for (Index i = 0; i < size.cells(); ++i) {
    coarse.push_back(static_cast<std::int32_t>(random.integer(0, count - 1)));
  }
  for (Index y = 0; y < size.height; ++y) {
    for (Index x = 0; x < size.width; ++x) {
      const Index source = y / patch * patch * size.width + x / patch * patch;
      const bool speck = random.integer(0, 9) == 0;
      labels.values.push_back(
          coarse[static_cast<std::size_t>(speck ? y * size.width + x : source)]);
    }
  }
  for (Index i = 0; i < count; ++i) {
    labels.proposals.push_back(static_cast<std::int32_t>(3 * i + 1));
  }
  return labels;
}

/// Areas of the 4-connected regions.
std::vector<Index> region_areas(const Labels& labels) {
  RegionGraph graph(labels.size, labels.values);
  std::vector<Index> areas;
  for (Index i = 0; i < graph.count(); ++i) areas.push_back(graph.area(i));
  return areas;
}

}  // namespace

TEST_CASE("Tidy gives a crumb to the neighbour with the longest border", "[unit]") {
  const Labels labels = picture({"000111",  //
                                 "002211",  //
                                 "002211"});
  // The square touches 0 on 3 sides (one above, two left) and 1 on 3 as well: the first gets it.
  const Labels tidy = Tidy{.min_area = 5.0 / 18}(labels);
  CHECK(rows_of(tidy) == Rows{"000111", "000011", "000011"});
  CHECK(tidy.proposals == Ids{10, 11});
  const Labels kept = Tidy{.min_area = 4.0 / 18}(labels);
  CHECK(same(kept, labels));
}

TEST_CASE("Tidy takes the smallest crumb first and counts what it joins", "[unit]") {
  // 2 goes to 1, with which it is 3 pixels and stays.
  CHECK(rows_of(Tidy{.min_area = 0.3}(picture({"0000112000"}))) == Rows{"0000111000"});
  // Without the 2 between them the two 1s are one region, large enough.
  CHECK(rows_of(Tidy{.min_area = 0.25}(picture({"00001121000"}))) == Rows{"00001111000"});
  CHECK(rows_of(Tidy{.min_area = 1}(picture({"0001122"}))) == Rows{"0000000"});
}

TEST_CASE("Tidy numbers what is left and remembers the proposals", "[unit]") {
  const Labels tidy = Tidy{.min_area = 0.2}(picture({"2222255550"}));
  CHECK(rows_of(tidy) == Rows{"0000011111"});
  CHECK(tidy.proposals == Ids{12, 15});
}

TEST_CASE("Tidy makes a label of every region on demand", "[unit]") {
  const Labels labels = picture({"0110",  //
                                 "1100",  //
                                 "0001"});
  const Labels split = Tidy{.min_area = 0, .split = true}(labels);
  CHECK(rows_of(split) == Rows{"0221", "2211", "1113"});
  CHECK(split.proposals == Ids{10, 10, 11, 11});
  CHECK(same(Tidy{.min_area = 0}(labels), labels));
}

TEST_CASE("Tidy leaves at most as many labels as asked", "[unit]") {
  // 2 (3 pixels) is given away before 1 (4), each region of it to its own neighbour.
  const Labels labels = picture({"0000021112033333"});
  const Labels three = Tidy{.min_area = 0, .max_labels = 3}(labels);
  CHECK(rows_of(three) == Rows{"0000001111022222"});
  CHECK(three.proposals == Ids{10, 11, 13});
  CHECK(rows_of(Tidy{.min_area = 0, .max_labels = 1}(labels)) == Rows{"0000000000000000"});
  CHECK(same(Tidy{.min_area = 0, .max_labels = 4}(labels), labels));
  // 1 grew by what 0 left it, so 2 goes next.
  const Labels grown = Tidy{.min_area = 0, .max_labels = 2}(picture({"0011122223333"}));
  CHECK(rows_of(grown) == Rows{"0000000001111"});
  CHECK(grown.proposals == Ids{11, 13});
}

TEST_CASE("Tidy refuses options and labels that make no sense", "[unit]") {
  const Labels labels = picture({"01"});
  for (const double bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS((Tidy{.min_area = bad}(labels)), std::invalid_argument);
  }
  CHECK_THROWS_AS((Tidy{.max_labels = -1}(labels)), std::invalid_argument);
  CHECK_THROWS_AS(Tidy{}(Labels{}), std::invalid_argument);
  CHECK_THROWS_AS(Tidy{}(Labels{{1, 2}, {0}, {0}}), std::invalid_argument);
  CHECK_THROWS_AS(Tidy{}(Labels{{1, 2}, {0, 1}, {0}}), std::invalid_argument);
  CHECK_THROWS_AS(Tidy{}(Labels{{1, 2}, {0, -1}, {0}}), std::invalid_argument);
}

TEST_CASE("Tidy keeps its promises on random labels", "[unit][law]") {
  Random random(75);
  INFO(random.note());
  for (int repeat = 0; repeat < 150; ++repeat) {
    const GridSize size = random.grid(1, 24);
    const Labels labels = random_patches(random, size, random.integer(1, 9));
    const Tidy tidy{.min_area = repeat % 3 == 0 ? 0 : random.uniform(0, 0.2),
                    .split = repeat % 2 == 0,
                    .max_labels = repeat % 5 == 0 ? random.integer(1, 5) : 0};
    const Labels once = tidy(labels);
    CHECK(same(tidy(once), once));

    // A partition with compact ids, each the heir of the proposal of one of its pixels.
    REQUIRE(once.values.size() == labels.values.size());
    std::set<std::int32_t> used(once.values.begin(), once.values.end());
    CHECK(*used.begin() == 0);
    CHECK(*used.rbegin() + 1 == once.count());
    CHECK(static_cast<Index>(used.size()) == once.count());
    CHECK(std::is_sorted(once.proposals.begin(), once.proposals.end()));
    std::set<std::int32_t> own;
    for (std::size_t i = 0; i < once.values.size(); ++i) {
      const auto label = static_cast<std::size_t>(once.values[i]);
      const auto old = static_cast<std::size_t>(labels.values[i]);
      if (once.proposals[label] == labels.proposals[old]) own.insert(once.values[i]);
    }
    CHECK(own == used);

    const auto areas = region_areas(once);
    if (areas.size() > 1) {
      CHECK(static_cast<double>(*std::min_element(areas.begin(), areas.end())) >=
            tidy.min_area * static_cast<double>(size.cells()));
    }
    if (tidy.max_labels > 0) CHECK(once.count() <= tidy.max_labels);
    if (tidy.split) CHECK(static_cast<Index>(areas.size()) == once.count());

    Labels reused = random_patches(random, {3, 3}, 2);
    tidy(labels, reused);
    CHECK(same(reused, once));
    Labels in_place = labels;
    tidy(in_place, in_place);
    CHECK(same(in_place, once));
  }
}

TEST_CASE("Tidy is quick on large photos of noise", "[unit]") {
  Random random(76);
  Labels labels{{600, 800}, {}, {0, 1, 2, 3, 4}};
  for (Index i = 0; i < labels.size.cells(); ++i) {
    labels.values.push_back(static_cast<std::int32_t>(random.integer(0, 4)));
  }
  const auto begin = std::chrono::steady_clock::now();
  const Labels tidy = Tidy{.max_labels = 3}(labels);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  CHECK(tidy.count() <= 3);
  // Half a million regions: quadratic work would take hours. Leaves room for sanitizers.
  CHECK(seconds.count() < 60);
}
