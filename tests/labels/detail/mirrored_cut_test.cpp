// SPDX-License-Identifier: MIT
#include <diffseg/labels/detail/mirrored_cut.hpp>
#include <vector>

#include "support/catch.hpp"

using namespace diffseg;
using namespace diffseg::detail;

namespace {

std::vector<Index> sources(const MirroredCut& cut) {
  std::vector<Index> result;
  for (Index i = 0; i < cut.size; ++i) result.push_back(cut.source(i));
  return result;
}

}  // namespace

TEST_CASE("a cut is mirrored at both ends of its line which stand once", "[unit]") {
  CHECK(sources({-3, 9, 4}) == std::vector<Index>{3, 2, 1, 0, 1, 2, 3, 2, 1});
  CHECK(sources({1, 2, 4}) == std::vector<Index>{1, 2});
  CHECK(sources({-2, 5, 1}) == std::vector<Index>{0, 0, 0, 0, 0});
  CHECK(sources({-4, 8, 2}) == std::vector<Index>{0, 1, 0, 1, 0, 1, 0, 1});
}

TEST_CASE("what is not mirrored fills what is", "[unit]") {
  for (const MirroredCut& cut :
       {MirroredCut{-3, 9, 4}, {-16, 40, 5}, {2, 7, 6}, {-2, 5, 9}, {3, 4, 20}, {-2, 5, 1}}) {
    CAPTURE(cut.first, cut.size, cut.count);
    std::vector<Index> line(static_cast<std::size_t>(cut.size), -1);
    for (Index i = cut.begin(); i < cut.end(); ++i) {
      REQUIRE(cut.source(i) == cut.first + i);
      line[static_cast<std::size_t>(i)] = cut.first + i;
    }
    cut.mirror(line.data());
    CHECK(line == sources(cut));
  }
}
