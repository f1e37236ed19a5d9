// SPDX-License-Identifier: MIT
#include <diffseg/data/labels.hpp>

#include "support/catch.hpp"
#include "support/complaint.hpp"

using namespace diffseg;
using support::complaint;
using support::Contains;

TEST_CASE("labels count the proposals that are left", "[labels]") {
  REQUIRE(Labels{}.count() == 0);
  REQUIRE(Labels{{1, 2}, {0, 1}, {4, 9}}.count() == 2);
}

TEST_CASE("labels that contradict themselves are refused", "[labels][unit]") {
  const Labels good{{1, 2}, {0, 1}, {4, 9}};
  REQUIRE(complaint([&] { good.check("Stage"); }) == "no error");
  REQUIRE(complaint([] { Labels{}.check("Stage"); }) == "no error");
  const auto text = [&](auto change) {
    Labels labels = good;
    change(labels);
    return complaint([&] { labels.check("Stage"); });
  };
  REQUIRE(text([](Labels& labels) {
            labels.size = {2, 2};
          }) == "Stage: labels must have one value per pixel, got 2 for 2 x 2");
  REQUIRE_THAT(text([](Labels& labels) {
                 labels.size = {Index{1} << 62, 8};
               }),
               Contains("labels must have one value per pixel"));
  REQUIRE_THAT(text([](Labels& labels) {
                 labels.size = {-1, -2};
               }),
               Contains("labels must have one value per pixel"));
  REQUIRE(text([](Labels& labels) { labels.values[1] = 2; }) ==
          "Stage: labels must be in 0..1, got 2");
  REQUIRE(text([](Labels& labels) { labels.values[0] = -1; }) ==
          "Stage: labels must be in 0..1, got -1");
}
