// SPDX-License-Identifier: MIT
#include <cstddef>
#include <diffseg/core/large_pages.hpp>
#include <vector>

#include "support/catch.hpp"

TEST_CASE("advice about pages changes no number at any place and size", "[large_pages][law]") {
  std::vector<unsigned char> values(std::size_t{9} << 20U);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<unsigned char>(i * 7);
  const auto expected = values;
  for (const std::size_t offset : {std::size_t{0}, std::size_t{1}, std::size_t{4097}}) {
    for (const std::size_t bytes :
         {std::size_t{0}, std::size_t{1}, std::size_t{5} << 20U, values.size() - offset}) {
      diffseg::detail::prefer_large_pages(values.data() + offset, bytes);
    }
  }
  REQUIRE(values == expected);
}
