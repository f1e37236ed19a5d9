// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdint>
#include <diffseg/labels/detail/guide_windows.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

TEST_CASE("slide adds up windows", "[unit]") {
  const std::vector<std::int32_t> in{1, 2, 4, 8, 16};
  std::vector<std::int64_t> out(3);
  slide(in.data(), 3, 3, out.data());
  CHECK(out == std::vector<std::int64_t>{7, 14, 28});
}

TEST_CASE("a filter's unit leaves room for its sums", "[unit]") {
  // 289 (1 + 0.25 / sqrt(0.0625)) = 578, and 2^30 / 578 is between 2^20 and 2^21.
  const GuidedFilter filter(8, 0.0625);
  CHECK(filter.width == 17);
  CHECK(filter.cells == 289);
  CHECK(filter.unit == 1 << 20);
  CHECK(filter.floor == 0.0625F * 289 * 289 * 4096 * 4096);
  for (const Index radius : {1, 16}) {
    for (const double epsilon : {1e-6, 1.0}) {
      const GuidedFilter other(radius, epsilon);
      const double most = static_cast<double>(other.cells) * (1 + 0.25 / std::sqrt(epsilon));
      CHECK(most * other.unit <= std::ldexp(1.0, 30));
      CHECK(most * other.unit > std::ldexp(1.0, 28));
    }
  }
}

TEST_CASE("windows tell sum mean and variance of the guide", "[unit][law]") {
  Random random(641);
  INFO(random.note());
  const GuidedFilter filter(random.integer(1, 4), 0.01);
  const GridSize size{3, 5};
  GuideWindows windows;
  windows.prepare(filter, {6, 7});
  windows.begin(filter, size);
  const Index stride = size.width + 2 * (filter.width - 1);
  REQUIRE(windows.stride() == stride);
  const Index rows = size.height + 2 * (filter.width - 1);
  Matrix<double> guide(rows, stride);
  for (Index y = 0; y < rows; ++y) {
    std::vector<float> row;
    for (Index x = 0; x < stride; ++x) {
      guide(y, x) = static_cast<double>(random.integer(0, 4096)) / 4096;
      row.push_back(static_cast<float>(guide(y, x)));
    }
    windows.set_row(y, row.data());
  }
  windows.describe(filter);
  REQUIRE(windows.windows() == GridSize{rows - filter.width + 1, stride - filter.width + 1});
  for (Index y = 0; y < windows.windows().height; ++y) {
    for (Index x = 0; x < windows.windows().width; ++x) {
      const auto window = guide.block(y, x, filter.width, filter.width).array();
      const double mean = window.mean();
      const double variance = (window - mean).square().mean();
      CHECK(windows.sums(y)[x] == static_cast<std::int32_t>(std::lround(window.sum() * 4096)));
      CHECK(std::abs(windows.means(y)[x] - mean) < 1e-6);
      // A covariance of 1 is cells^2 steps.
      const auto cells = static_cast<double>(filter.cells);
      const double slope = windows.gains(y)[x] * cells * cells * 4096 / filter.unit;
      CHECK(std::abs(slope * (variance + 0.01) - 1) < 1e-5);
    }
  }
}
