// SPDX-License-Identifier: MIT
#include <diffseg/core/subnormals.hpp>

#include <cfenv>
#include <limits>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include <diffseg/core/parallel.hpp>

#include "support/catch.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

using namespace diffseg;
using namespace diffseg::detail;

namespace {

/// Half of the smallest normal number, as this thread computes it now.
float half_of_smallest() {
  volatile float smallest = std::numeric_limits<float>::min();
  volatile float half = smallest * 0.5F;
  return half;
}

/// What this thread's floating point unit was told: float_control() without x86's six bits of
/// exceptions raised so far, which any computation may add, OpenMP's and Catch2's too.
std::uint64_t told() {
#if defined(__SSE2__)
  return float_control() & ~std::uint64_t{0x3f};
#else
  return float_control();
#endif
}

/// Whether this processor can flush at all.
bool can_flush() {
#if defined(__SSE2__) || (defined(__aarch64__) && defined(__GNUC__))
  return true;
#else
  return false;
#endif
}

/// What the threads of OpenMP do with subnormal numbers, all the same; -1: they differ.
int threads_flush() {
  int flushing = 0, all = 1;
#ifdef _OPENMP
#pragma omp parallel num_threads(2) reduction(+ : flushing)
  {
    flushing += half_of_smallest() == 0 ? 1 : 0;
#pragma omp single
    all = omp_get_num_threads();
  }
#else
  flushing = half_of_smallest() == 0 ? 1 : 0;
#endif
  return flushing == 0 ? 0 : flushing == all ? 1 : -1;
}

}  // namespace

TEST_CASE("subnormal numbers are zeros while it lives", "[unit]") {
  REQUIRE(half_of_smallest() > 0);
  {
    const FlushSubnormals flush;
    REQUIRE((half_of_smallest() == 0) == can_flush());
    {
      const FlushSubnormals again;
      REQUIRE((half_of_smallest() == 0) == can_flush());
    }
    REQUIRE((half_of_smallest() == 0) == can_flush());
  }
  REQUIRE(half_of_smallest() > 0);
}

TEST_CASE("the caller's rounding and flags come back", "[unit]") {
  const std::uint64_t before = told();
  for (const bool flushed : {false, true}) {
    std::optional<FlushSubnormals> own;
    if (flushed) own.emplace();
    const std::uint64_t mine = told();
    { const FlushSubnormals flush; }
    REQUIRE(told() == mine);
    parallel_for(100, [](Index) {});
    REQUIRE(told() == mine);
  }
  REQUIRE(told() == before);
}

TEST_CASE("a rounding mode set outside holds inside and comes back", "[unit]") {
  REQUIRE(std::fesetround(FE_UPWARD) == 0);
  const std::uint64_t upward = told();
  const ThreadLimit alone(1);
  int inside = 0;
  parallel_for(1, [&](Index) { inside = std::fegetround(); });
  const std::uint64_t after = told();
  std::fesetround(FE_TONEAREST);
  REQUIRE(after == upward);
  REQUIRE(inside == FE_UPWARD);
}

TEST_CASE("exceptions raised meanwhile are the caller's to see", "[unit]") {
  std::feclearexcept(FE_ALL_EXCEPT);
  {
    const FlushSubnormals flush;
    volatile float zero = 0;
    volatile float infinity = 1 / zero;
    static_cast<void>(infinity);
  }
  const int raised = std::fetestexcept(FE_DIVBYZERO);
  std::feclearexcept(FE_ALL_EXCEPT);
  REQUIRE(raised != 0);
}

TEST_CASE("regions flush in every thread and leave no trace", "[law]") {
  const int limit = GENERATE(1, 2, 3);
  const ThreadLimit threads(limit);
  std::vector<int> flushed(64);
  parallel_for(64,
               [&](Index i) { flushed[static_cast<std::size_t>(i)] = half_of_smallest() == 0; });
  REQUIRE(flushed == std::vector<int>(64, can_flush() ? 1 : 0));
  REQUIRE(half_of_smallest() > 0);
  REQUIRE(threads_flush() == 0);
  REQUIRE_THROWS_AS(parallel_for(64,
                                 [](Index i) {
                                   if (i == 7) throw std::runtime_error("seven");
                                 }),
                    std::runtime_error);
  REQUIRE(half_of_smallest() > 0);
  REQUIRE(threads_flush() == 0);
}

TEST_CASE("a thread of the caller's keeps its own state", "[unit]") {
  bool other = true, own = false;
  {
    const FlushSubnormals flush;
    std::thread([&] {
      set_float_control(float_control() & ~flush_flags);  // as processors begin
      parallel_for(10, [](Index) {});
      other = half_of_smallest() == 0;
    }).join();
    own = half_of_smallest() == 0;
  }
  REQUIRE_FALSE(other);
  REQUIRE(own == can_flush());
}
