// SPDX-License-Identifier: MIT
#include <diffseg/core/parallel.hpp>
#include <diffseg/core/streaming_store.hpp>
#include <vector>

#include "support/catch.hpp"

using namespace diffseg;
using namespace diffseg::detail;

TEMPLATE_TEST_CASE("rows of whole packets at their places can be streamed",
                   "[streaming_store][unit]", float, double) {
  constexpr Index lanes = packet_size<TestType>;
  Buffer<TestType> room;
  make_room(room, 8 * lanes);
  REQUIRE(is_streamable(room.data(), 4 * lanes) == can_stream<TestType>);
  if (!can_stream<TestType>) return;
  REQUIRE(is_streamable(room.data() + lanes, lanes));
  REQUIRE_FALSE(is_streamable(room.data() + 1, lanes));
  REQUIRE_FALSE(is_streamable(room.data(), 4 * lanes + 1));
}

TEMPLATE_TEST_CASE("what threads have streamed is there after their region",
                   "[streaming_store][law]", float, double) {
  constexpr Index lanes = packet_size<TestType>;
  constexpr Index rows = 64;
  constexpr Index width = 32 * lanes;
  Buffer<TestType> room;
  make_room(room, rows * width);
  parallel_for(rows, [&](Index row) {
    for (Index i = 0; i < width; i += lanes) {
      const auto number = static_cast<TestType>(row * width + i);
      stream_packet(room.data() + row * width + i,
                    Eigen::internal::plset<Packet<TestType>>(number));
    }
    finish_streaming();
  });
  Index wrong = 0;
  for (Index i = 0; i < rows * width; ++i) wrong += room[i] != static_cast<TestType>(i) ? 1 : 0;
  REQUIRE(wrong == 0);
}
