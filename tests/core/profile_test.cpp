// SPDX-License-Identifier: MIT
#include <chrono>
#include <diffseg/core/profile.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using diffseg::Profile;
using diffseg::detail::ProfileScope;

TEST_CASE("scopes are free to open when nobody listens", "[profile]") {
  REQUIRE_FALSE(Profile::is_listened_to());
  ProfileScope scope("Nobody", 10);
  scope.add_bytes(5);
  const Profile later;
  REQUIRE(later.rows().empty());
}

TEST_CASE("calls of a stage add up to one row in order of their beginning", "[profile]") {
  const Profile profile;
  for (int i = 0; i < 3; ++i) {
    ProfileScope outer("Aggregate", 100);
    outer.add_bytes(20);
    const ProfileScope inner("Aggregate: heads");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  { const ProfileScope scope("Merge", 7); }
  const auto rows = profile.rows();
  REQUIRE(rows.size() == 3);
  REQUIRE(rows[0].stage == "Aggregate");
  REQUIRE(rows[0].depth == 0);
  REQUIRE(rows[0].calls == 3);
  REQUIRE(rows[0].bytes == 360);
  REQUIRE(rows[1].stage == "Aggregate: heads");
  REQUIRE(rows[1].depth == 1);
  REQUIRE(rows[1].milliseconds >= 3);
  REQUIRE(rows[1].milliseconds <= rows[0].milliseconds);
  REQUIRE(rows[2].stage == "Merge");
  REQUIRE(rows[0].share + rows[2].share == Approx(1));
}

TEST_CASE("profiles that overlap hear their own time each", "[profile]") {
  const auto stages = [](const Profile& profile) {
    std::vector<std::string> names;
    for (const auto& row : profile.rows()) names.push_back(row.stage);
    return names;
  };
  using Names = std::vector<std::string>;
  // In any order of beginning and ending, also within a scope.
  auto first = std::make_unique<Profile>();
  { const ProfileScope scope("one"); }
  auto second = std::make_unique<Profile>();
  {
    const ProfileScope scope("two");
    const Profile within;
    { const ProfileScope inner("three"); }
    REQUIRE(stages(within) == Names{"three"});
  }
  REQUIRE(stages(*first) == Names{"one", "two", "three"});
  REQUIRE(stages(*second) == Names{"two", "three"});
  first.reset();
  REQUIRE(Profile::is_listened_to());
  {
    const ProfileScope scope("four");
    second.reset();
  }
  REQUIRE_FALSE(Profile::is_listened_to());
  { const ProfileScope scope("nobody"); }
  const Profile later;
  REQUIRE(later.rows().empty());
}

TEST_CASE("the trace is JSON with one complete event a scope", "[profile]") {
  Profile profile;
  {
    const ProfileScope outer("Compare", 64);
    const ProfileScope inner("Compare: bounds");
  }
  std::ostringstream text;
  profile.write_trace(text);
  const auto trace = nlohmann::json::parse(text.str());
  const auto& events = trace.at("traceEvents");
  REQUIRE(events.size() == 2);
  REQUIRE(events[0].at("name") == "Compare");
  REQUIRE(events[0].at("args").at("bytes") == 64);
  REQUIRE(events[1].at("name") == "Compare: bounds");
  for (const auto& event : events) {
    REQUIRE(event.at("ph") == "X");
    REQUIRE(event.at("ts").get<double>() >= 0);
    REQUIRE(event.at("dur").get<double>() >= 0);
  }
  REQUIRE(events[1].at("ts").get<double>() + events[1].at("dur").get<double>() <=
          events[0].at("ts").get<double>() + events[0].at("dur").get<double>() + 1e-3);
}

TEST_CASE("an empty trace is JSON too", "[profile]") {
  const Profile profile;
  std::ostringstream text;
  profile.write_trace(text);
  REQUIRE(nlohmann::json::parse(text.str()).at("traceEvents").empty());
}

TEST_CASE("scopes of many threads all arrive", "[profile]") {
  const Profile profile;
  std::vector<std::thread> team;
  for (int t = 0; t < 4; ++t) {
    team.emplace_back([] {
      for (int i = 0; i < 100; ++i) const ProfileScope scope("Stage", 1);
    });
  }
  for (std::thread& thread : team) thread.join();
  REQUIRE(profile.rows().size() == 1);
  REQUIRE(profile.rows()[0].calls == 400);
  REQUIRE(profile.rows()[0].bytes == 400);
}

TEST_CASE("time stamps are exact however late", "[profile][unit]") {
  using diffseg::detail::microseconds;
  using std::chrono::nanoseconds;
  REQUIRE(microseconds(nanoseconds(0)) == "0.000");
  REQUIRE(microseconds(nanoseconds(7)) == "0.007");
  REQUIRE(microseconds(nanoseconds(1234567)) == "1234.567");
  // Twelve seconds, and a year.
  REQUIRE(microseconds(nanoseconds(12'345'678'901)) == "12345678.901");
  REQUIRE(microseconds(nanoseconds(31'536'000'000'000'001)) == "31536000000000.001");
}
