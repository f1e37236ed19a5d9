// SPDX-License-Identifier: MIT
#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <diffseg/core/parallel.hpp>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"

using diffseg::ThreadLimit;
using diffseg::detail::parallel_for;
using diffseg::detail::thread_count;
using Eigen::Index;

namespace {

/// A number that only sums in the same order give again to the last bit.
double rounded_sum(Index block) {
  double sum = 0;
  for (int i = 1; i < 1000; ++i) sum += std::sin(static_cast<double>(block * 1000 + i)) / i;
  return sum;
}

std::vector<double> blocks_with(int threads) {
  const ThreadLimit limit(threads);
  std::vector<double> sums(257);
  parallel_for(static_cast<Index>(sums.size()),
               [&](Index i) { sums[static_cast<std::size_t>(i)] = rounded_sum(i); });
  return sums;
}

}  // namespace

TEST_CASE("parallel_for visits every index once", "[parallel]") {
  for (const Index count : {0, 1, 2, 3, 1000}) {
    std::vector<int> visits(static_cast<std::size_t>(count), 0);
    parallel_for(count, [&](Index i) { ++visits[static_cast<std::size_t>(i)]; });
    REQUIRE(std::all_of(visits.begin(), visits.end(), [](int n) { return n == 1; }));
  }
  parallel_for(-1, [](Index) { throw std::logic_error("nothing to do"); });
}

TEST_CASE("parallel_for gives the same bits for any number of threads", "[parallel]") {
  const auto alone = blocks_with(1);
  for (const int threads : {2, 3, 4, 8}) REQUIRE(blocks_with(threads) == alone);
}

TEST_CASE("every thread makes one scratch and keeps it", "[parallel]") {
  std::atomic<int> made{0};
  std::atomic<int> used{0};
  parallel_for(
      100, [&] { return ++made, std::vector<int>(1, 0); },
      [&](Index, std::vector<int>& scratch) { used += ++scratch[0] > 0 ? 1 : 0; });
  REQUIRE(used == 100);
  REQUIRE(made >= 1);
  REQUIRE(made <= thread_count());
}

TEST_CASE("a scratch that cannot move is made in place and destroyed", "[parallel]") {
  static std::atomic<int> alive{0};
  struct Pinned {
    Pinned() { ++alive; }
    ~Pinned() { --alive; }
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
  };
  parallel_for(
      10, [] { return Pinned(); }, [](Index, Pinned&) {});
  REQUIRE(alive == 0);
  REQUIRE_THROWS(parallel_for(
      10, [] { return Pinned(); }, [](Index, Pinned&) { throw 1; }));
  REQUIRE(alive == 0);
}

TEST_CASE("scratch that is kept comes back in the next loop", "[parallel]") {
  std::vector<std::vector<int>> kept;
  const auto prepare = [](std::vector<int>& scratch) { scratch.resize(3); };
  const auto visit = [](Index, std::vector<int>& scratch) { ++scratch[0]; };
  for (const int threads : {1, 4, 2}) {
    const ThreadLimit limit(threads);
    parallel_for(100, kept, prepare, visit);
  }
  REQUIRE(kept.size() >= 1);
  REQUIRE(kept.size() <= 4);
  int visits = 0;
  for (const auto& scratch : kept) visits += scratch.empty() ? 0 : scratch[0];
  REQUIRE(visits == 300);
}

TEST_CASE("kept scratch survives an exception of the body and not one of its preparation",
          "[parallel]") {
  const ThreadLimit limit(1);
  std::vector<std::vector<int>> kept;
  const auto prepare = [](std::vector<int>& scratch) { scratch.assign(1, 7); };
  REQUIRE_THROWS_WITH(
      parallel_for(5, kept, prepare,
                   [](Index, std::vector<int>&) { throw std::runtime_error("body"); }),
      "body");
  REQUIRE(kept.at(0) == std::vector<int>{7});
  const auto fail = [](std::vector<int>&) { throw std::runtime_error("prepare"); };
  REQUIRE_THROWS_WITH(parallel_for(5, kept, fail, [](Index, std::vector<int>&) {}), "prepare");
  REQUIRE(kept.at(0).empty());
  int sum = 0;
  parallel_for(5, kept, prepare, [&](Index, std::vector<int>& scratch) { sum += scratch[0]; });
  REQUIRE(sum == 35);
}

TEST_CASE("nested loops keep their scratch apart", "[parallel]") {
  std::atomic<int> visits{0};
  std::vector<std::vector<std::vector<int>>> outer;
  parallel_for(
      8, outer, [](auto&) {},
      [&](Index, std::vector<std::vector<int>>& inner) {
        parallel_for(
            8, inner, [](std::vector<int>& scratch) { scratch.assign(1, 1); },
            [&](Index, std::vector<int>& scratch) { visits += scratch[0]; });
      });
  REQUIRE(visits == 64);
}

TEST_CASE("the exception of the lowest index arrives for any number of threads", "[parallel]") {
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadLimit limit(threads);
    for (int round = 0; round < 20; ++round) {
      REQUIRE_THROWS_WITH(parallel_for(200,
                                       [](Index i) {
                                         if (i % 7 == 3)
                                           throw std::runtime_error(std::to_string(i));
                                       }),
                          "3");
    }
  }
}

TEST_CASE("an exception keeps its type", "[parallel]") {
  REQUIRE_THROWS_AS(parallel_for(8, [](Index) { throw std::bad_alloc(); }), std::bad_alloc);
  REQUIRE_THROWS_AS(parallel_for(8, [](Index) { throw 5; }), int);
}

TEST_CASE("pieces after an exception are skipped and all before it run", "[parallel]") {
  const ThreadLimit limit(4);
  std::vector<int> visits(1000, 0);
  REQUIRE_THROWS(parallel_for(1000, [&](Index i) {
    visits[static_cast<std::size_t>(i)] = 1;
    if (i == 500) throw std::runtime_error("stop");
  }));
  REQUIRE(std::all_of(visits.begin(), visits.begin() + 501, [](int n) { return n == 1; }));
}

TEST_CASE("a scratch that cannot be made is an exception like others", "[parallel]") {
  struct Scratch {};
  const auto make = []() -> Scratch { throw std::runtime_error("no scratch"); };
  REQUIRE_THROWS_WITH(parallel_for(16, make, [](Index, Scratch&) {}), "no scratch");
}

TEST_CASE("parallel_for works again after an exception", "[parallel]") {
  REQUIRE_THROWS(parallel_for(10, [](Index) { throw std::runtime_error("once"); }));
  std::atomic<int> visits{0};
  parallel_for(10, [&](Index) { ++visits; });
  REQUIRE(visits == 10);
}

TEST_CASE("a nested parallel_for runs in its own thread", "[parallel]") {
  std::vector<int> visits(64, 0);
  std::atomic<int> inner_threads{0};
  parallel_for(8, [&](Index outer) {
    inner_threads = std::max(inner_threads.load(), thread_count());
    parallel_for(8, [&](Index inner) { ++visits[static_cast<std::size_t>(outer * 8 + inner)]; });
  });
  REQUIRE(inner_threads == 1);
  REQUIRE(std::all_of(visits.begin(), visits.end(), [](int n) { return n == 1; }));
}

TEST_CASE("an exception leaves nested loops", "[parallel]") {
  REQUIRE_THROWS_WITH(parallel_for(4,
                                   [](Index outer) {
                                     parallel_for(4, [outer](Index inner) {
                                       throw std::runtime_error(std::to_string(outer * 4 + inner));
                                     });
                                   }),
                      "0");
}

TEST_CASE("ThreadLimit caps what its scope starts", "[parallel]") {
  const int before = thread_count();
  REQUIRE(before >= 1);
  {
    const ThreadLimit one(1);
    REQUIRE(thread_count() == 1);
    const ThreadLimit more(64);  // cannot lift the outer cap
    REQUIRE(thread_count() == 1);
  }
  {
    const ThreadLimit nonsense(-3);
    REQUIRE(thread_count() == 1);
  }
  REQUIRE(thread_count() == before);
}
