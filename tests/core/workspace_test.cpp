// SPDX-License-Identifier: MIT
#include <diffseg/core/workspace.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using diffseg::Workspace;

TEST_CASE("a workspace makes one value of each type and keeps it", "[workspace]") {
  Workspace workspace;
  auto& numbers = workspace.get<std::vector<int>>();
  REQUIRE(numbers.empty());
  numbers = {1, 2, 3};
  workspace.get<std::string>() = "text";
  for (int i = 0; i < 3; ++i) workspace.get<std::vector<double>>().push_back(i);
  REQUIRE(&workspace.get<std::vector<int>>() == &numbers);
  REQUIRE(numbers == std::vector<int>{1, 2, 3});
  REQUIRE(workspace.get<std::string>() == "text");
  REQUIRE(workspace.get<std::vector<double>>() == std::vector<double>{0, 1, 2});
}

TEST_CASE("a workspace holds values that cannot be copied and lets them go", "[workspace]") {
  struct Pinned {
    Pinned() = default;
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
    std::shared_ptr<int> alive = std::make_shared<int>(7);
  };
  Workspace workspace;
  const std::weak_ptr<int> watched = workspace.get<Pinned>().alive;
  REQUIRE(watched.lock() != nullptr);
  workspace.clear();
  REQUIRE(watched.expired());
  REQUIRE(*workspace.get<Pinned>().alive == 7);
}

TEST_CASE("a copy of a workspace starts empty and a move takes all along", "[workspace]") {
  Workspace workspace;
  int& place = workspace.get<int>();
  place = 5;
  Workspace copy(workspace);
  REQUIRE(copy.get<int>() == 0);
  copy.get<int>() = 6;
  copy = workspace;
  REQUIRE(copy.get<int>() == 6);
  Workspace moved(std::move(workspace));
  REQUIRE(&moved.get<int>() == &place);
  copy = std::move(moved);
  REQUIRE(&copy.get<int>() == &place);
  REQUIRE(place == 5);
}
