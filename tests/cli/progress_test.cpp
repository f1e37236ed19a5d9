// SPDX-License-Identifier: MIT
#include "progress.hpp"

#include "support/catch.hpp"

using cli::Counts;
using cli::progress_line;

TEST_CASE("what the bar says", "[progress][unit]") {
  REQUIRE(progress_line({.photos = 4}, 0, 80) == "[>                             ] 0/4");
  REQUIRE(progress_line({.photos = 4, .done = 1, .skipped = 1}, 2, 80) ==
          "[===============>              ] 2/4, 0.5 photos/s, 4 s left");
  REQUIRE(progress_line({.photos = 10000, .done = 30, .failed = 2}, 2, 80) ==
          "[>                           ] 32/10000, 16 photos/s, 10 min 23 s left, 2 failed");
  REQUIRE(progress_line({.photos = 8000, .done = 800}, 800, 60) ==
          "[=>                 ] 800/8000, 1.0 photos/s, 2 h 0 min left");
  REQUIRE(progress_line({.photos = 4, .done = 4}, 2, 80) ==
          "[==============================] 4/4, 2.0 photos/s, 0 s left");
}

TEST_CASE("a narrow terminal", "[progress][law]") {
  for (std::size_t columns = 0; columns < 100; ++columns)
    REQUIRE(progress_line({.photos = 100, .done = 30, .failed = 2}, 9, columns).size() <= columns);
}
