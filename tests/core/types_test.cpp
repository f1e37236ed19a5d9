// SPDX-License-Identifier: MIT
#include <diffseg/core/types.hpp>
#include <limits>
#include <new>

#include "support/catch.hpp"

using namespace diffseg;

TEST_CASE("a grid counts its cells and compares by both sides", "[types][unit]") {
  STATIC_REQUIRE(GridSize{3, 5}.cells() == 15);
  STATIC_REQUIRE(GridSize{3, 5} == GridSize{3, 5});
  STATIC_REQUIRE_FALSE(GridSize{3, 5} == GridSize{5, 3});
  STATIC_REQUIRE(GridSize{}.cells() == 0);
}

TEST_CASE("a matrix that cannot grow is empty and not torn", "[types][unit]") {
  constexpr Index most = std::numeric_limits<Index>::max();
  Matrix<float> matrix = Matrix<float>::Constant(3, 4, 1);
  const float* const place = matrix.data();
  detail::set_size(matrix, 3, 4);
  REQUIRE(matrix.data() == place);
  REQUIRE_THROWS_AS(detail::set_size(matrix, most, most), std::bad_alloc);
  REQUIRE(matrix.size() == 0);
  detail::set_size(matrix, 2, 2);
  REQUIRE(matrix.size() == 4);
  detail::Buffer<float> buffer(5);
  const float* const room = buffer.data();
  detail::make_room(buffer, 3);
  REQUIRE(buffer.data() == room);
  REQUIRE_THROWS_AS(detail::make_room(buffer, most), std::bad_alloc);
  REQUIRE(buffer.data() == room);
}
