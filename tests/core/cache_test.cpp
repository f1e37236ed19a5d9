// SPDX-License-Identifier: MIT
#include <atomic>
#include <diffseg/core/cache.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using diffseg::detail::Cache;

TEST_CASE("a cache builds a value once and hands the same one out", "[cache]") {
  Cache<int, std::string> cache(4);
  const auto first = cache.get(1, [] { return std::string("one"); });
  const auto again = cache.get(1, [] { return std::string("never made"); });
  REQUIRE(first == again);
  REQUIRE(*again == "one");
  REQUIRE(cache.statistics().hits == 1);
  REQUIRE(cache.statistics().misses == 1);
  REQUIRE(cache.statistics().entries == 1);
}

TEST_CASE("a full cache drops what was used longest ago", "[cache]") {
  Cache<int, int> cache(2);
  int made = 0;
  const auto make = [&] { return ++made; };
  cache.get(1, make);
  cache.get(2, make);
  cache.get(1, make);  // 2 is now the oldest
  cache.get(3, make);
  REQUIRE(cache.statistics().entries == 2);
  REQUIRE(made == 3);
  cache.get(1, make);
  REQUIRE(made == 3);
  cache.get(2, make);
  REQUIRE(made == 4);
}

TEST_CASE("a dropped value lives on with its holder", "[cache]") {
  Cache<int, int> cache(1);
  const auto held = cache.get(1, [] { return 10; });
  cache.get(2, [] { return 20; });
  REQUIRE(*held == 10);
  REQUIRE(held.use_count() == 1);
}

TEST_CASE("a cache without room still answers", "[cache]") {
  Cache<int, int> cache(0);
  REQUIRE(*cache.get(1, [] { return 10; }) == 10);
  REQUIRE(*cache.get(1, [] { return 11; }) == 11);
  REQUIRE(cache.statistics().entries == 0);
  REQUIRE(cache.statistics().misses == 2);
}

TEST_CASE("a value that cannot be made leaves the cache as it was", "[cache]") {
  Cache<int, int> cache(1);
  cache.get(1, [] { return 10; });
  const auto fail = []() -> int { throw std::runtime_error("no value"); };
  REQUIRE_THROWS_AS(cache.get(2, fail), std::runtime_error);
  REQUIRE(cache.statistics().entries == 1);
  REQUIRE(cache.statistics().misses == 1);
  REQUIRE(*cache.get(1, fail) == 10);
  REQUIRE(*cache.get(2, [] { return 20; }) == 20);  // and is not locked
}

TEST_CASE("clear forgets values and counts", "[cache]") {
  Cache<int, int> cache(2);
  cache.get(1, [] { return 10; });
  cache.get(1, [] { return 10; });
  cache.clear();
  REQUIRE(cache.statistics().hits == 0);
  REQUIRE(cache.statistics().misses == 0);
  REQUIRE(cache.statistics().entries == 0);
  REQUIRE(*cache.get(1, [] { return 11; }) == 11);
}

TEST_CASE("threads share one cache", "[cache]") {
  constexpr int threads = 8, rounds = 500, keys = 5;
  Cache<int, int> cache(keys);
  std::atomic<int> made{0}, wrong{0};
  std::vector<std::thread> team;
  for (int t = 0; t < threads; ++t) {
    team.emplace_back([&, t] {
      for (int i = 0; i < rounds; ++i) {
        const int key = (i + t) % keys;
        const auto value = cache.get(key, [&] {
          ++made;
          return key * key;
        });
        if (*value != key * key) ++wrong;
      }
    });
  }
  for (std::thread& thread : team) thread.join();
  REQUIRE(wrong == 0);
  REQUIRE(made == keys);
  REQUIRE(cache.statistics().hits == threads * rounds - keys);
}
