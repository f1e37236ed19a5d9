// SPDX-License-Identifier: MIT
#include <diffseg/data/image.hpp>

#include "support/catch.hpp"
#include "support/complaint.hpp"

using namespace diffseg;
using support::complaint;
using support::Contains;

TEST_CASE("an image that contradicts itself is refused when it is made", "[image][unit]") {
  const auto text = [](GridSize size, Index channels, std::size_t count) {
    return complaint([&] { (void)Image<float>(size, channels, std::vector<float>(count)); });
  };
  REQUIRE(text({2, 3}, 3, 18) == "no error");
  REQUIRE(text({2, 3}, 1, 0) == "no error");  // to be filled
  REQUIRE(text({2, 3}, 3, 17) ==
          "Image: the photo must hold height * width * channels numbers, got 17 for 2 x 3 x 3");
  REQUIRE(text({0, 3}, 3, 0) == "Image: the photo must have at least 1 x 1 pixels, got 0 x 3");
  REQUIRE(text({2, 3}, 2, 12) == "Image: the photo must have 1 or 3 channels, got 2");
  REQUIRE_THAT(text({Index{1} << 40, Index{1} << 40}, 1, 0),
               Contains("Image: sizes must multiply without overflow"));
  REQUIRE_THAT(complaint([] {
                 Image<float>({2, 2}, 1, {}).check("Stage");
               }),
               Contains("Stage: the photo must hold"));
}
