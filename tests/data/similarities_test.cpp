// SPDX-License-Identifier: MIT
#include <diffseg/data/proposals.hpp>
#include <diffseg/data/similarities.hpp>
#include <utility>

#include "support/catch.hpp"
#include "support/complaint.hpp"

using namespace diffseg;
using support::complaint;
using support::Contains;

TEST_CASE("moved similarities keep their storage", "[similarities][unit]") {
  Similarities<float> from;
  from.divergences.resize(2, 3);
  from.divergences.insert(1, 2) = 0.5F;
  from.divergences.makeCompressed();
  from.anchors = {0, 2};
  from.ceiling = 1;
  const float* const place = from.divergences.valuePtr();
  Similarities<float> to = std::move(from);
  REQUIRE(to.divergences.valuePtr() == place);
  REQUIRE(to.anchors.size() == 2);
  from = std::move(to);
  REQUIRE(from.divergences.valuePtr() == place);
  REQUIRE(from.ceiling == 1);
  to = from;
  REQUIRE(to.divergences.valuePtr() != place);
  REQUIRE(to.divergences.coeff(1, 2) == 0.5F);
}

TEST_CASE("similarities that contradict themselves are refused", "[similarities][unit]") {
  Similarities<float> good;
  good.maps = Maps<float>({1, 3}, Matrix<float>::Constant(3, 3, 1.0F / 3));
  good.anchors = {0, 2};
  good.divergences.resize(2, 3);
  const auto text = [&](auto change) {
    Similarities<float> changed = good;
    change(changed);
    return complaint([&] { changed.check("Stage"); });
  };
  REQUIRE(text([](auto&) {}) == "no error");
  REQUIRE(text([](auto& it) { it.maps = {}; }) == "Stage: maps must not be empty");
  REQUIRE_THAT(text([](auto& it) { it.anchors = {}; }),
               Contains("divergences must be [anchors x maps], at least 1 x 1, got 2 x 3 for 0"));
  REQUIRE(text([](auto& it) {
            it.anchors = {0, 3};
          }) == "Stage: anchors must be cells 0 .. 2, got 3");
  REQUIRE_THAT(text([](auto& it) { it.divergences.resize(2, 4); }), Contains("got 2 x 4 for 2"));
}

TEST_CASE("proposals that contradict themselves are refused", "[proposals][unit]") {
  Proposals<float> proposals;
  REQUIRE(complaint([&] { proposals.check("Stage"); }) == "Stage: maps must not be empty");
  proposals.maps = Maps<float>({1, 3}, Matrix<float>::Constant(3, 3, 1.0F / 3));
  REQUIRE(complaint([&] { proposals.check("Stage"); }) ==
          "Stage: there must be at least one proposal, got 0");
  proposals.rows = Matrix<float>::Constant(2, 4, 0.25F);
  REQUIRE(complaint([&] { proposals.check("Stage"); }) ==
          "Stage: proposals must have 3 cells, those of their maps, got 4");
}
