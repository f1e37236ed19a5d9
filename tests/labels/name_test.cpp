// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <diffseg/core/pipeline.hpp>
#include <diffseg/labels/name.hpp>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using support::Random;

namespace {

constexpr Name::Policy policies[] = {Name::Policy::majority, Name::Policy::mean,
                                     Name::Policy::reference_median};
using Nouns = std::vector<Index>;

Labels row_of(std::vector<std::int32_t> values, std::int32_t count) {
  Labels labels{{1, static_cast<Index>(values.size())}, std::move(values), {}};
  labels.proposals.resize(static_cast<std::size_t>(count));
  std::iota(labels.proposals.begin(), labels.proposals.end(), 0);
  return labels;
}

/// Maps of one row of pixels; column i of the tokens is rows[i].
template <class Scalar>
CrossMaps<Scalar> maps_of(const std::vector<std::vector<Scalar>>& rows) {
  CrossMaps<Scalar> maps{{1, static_cast<Index>(rows[0].size())}, {}, {}};
  maps.values.resize(static_cast<Index>(rows.size()), maps.size.width);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    maps.tokens.push_back(static_cast<Index>(i));
    for (std::size_t x = 0; x < rows[i].size(); ++x) {
      maps.values(static_cast<Index>(i), static_cast<Index>(x)) = rows[i][x];
    }
  }
  return maps;
}

const std::vector<Name::Noun> three = {{"cat", 0, 1}, {"dog", 1, 2}, {"sky", 2, 3}};

template <class Scalar>
void check_policies() {
  // The columns' norms are 1. Label 0: two pixels vote for the dog, the cat has more in all.
  const Scalar low = static_cast<Scalar>(0.1);
  const Scalar rest = static_cast<Scalar>(std::sqrt(1 - 2 * 0.01));
  const auto maps = maps_of<Scalar>({{1, 0, 0, 0, 0}, {0, low, low, rest, 0}, {0, 0, 0, 0, 1}});
  const Labels labels = row_of({0, 0, 0, 1, 1}, 2);
  CHECK(Name{three, Name::Policy::majority}(maps, labels).nouns == Nouns{1, 1});
  CHECK(Name{three, Name::Policy::mean}(maps, labels).nouns == Nouns{0, 2});
  CHECK(Name{three}(maps, labels).nouns == Nouns{1, 1});
}

}  // namespace

TEST_CASE("Name follows its policy", "[unit]") {
  check_policies<float>();
  check_policies<double>();
}

TEST_CASE("Name does not take the median for a majority", "[unit]") {
  // Votes: cat cat cat sky sky dog sky dog... the middle index is dog, the most votes are cat's.
  const auto maps = maps_of<double>({{1, 1, 1, 0, 0, 0, 0},
                                     {0, 0, 0, 1, 0, 0, 0},  //
                                     {0, 0, 0, 0, 1, 1, 1}});
  const Labels labels = row_of({0, 0, 0, 0, 0, 0, 0}, 1);
  CHECK(Name{three, Name::Policy::majority}(maps, labels).nouns == Nouns{0});
  CHECK(Name{three, Name::Policy::reference_median}(maps, labels).nouns == Nouns{1});
  // An even number of votes: the mean of the two in the middle, rounded down.
  const auto even = maps_of<double>({{1, 0}, {0, 0}, {0, 1}});
  CHECK(Name{three, Name::Policy::reference_median}(even, row_of({0, 0}, 1)).nouns == Nouns{1});
  const auto next = maps_of<double>({{1, 0}, {0, 1}, {0, 0}});
  CHECK(Name{three, Name::Policy::reference_median}(next, row_of({0, 0}, 1)).nouns == Nouns{0});
}

TEST_CASE("Name makes a strong column no louder than a weak one", "[unit]") {
  const auto maps = maps_of<float>({{100, 100, 300}, {0.3F, 0.3F, 0.1F}});
  const Labels labels = row_of({0, 0, 1}, 2);
  for (const Name::Policy policy : policies) {
    CHECK(Name{{{"loud", 0, 1}, {"low", 1, 2}}, policy}(maps, labels).nouns == Nouns{1, 0});
  }
}

TEST_CASE("Name adds up the columns of a split word", "[unit]") {
  const auto maps = maps_of<float>({{9, 9, 9}, {1, 0, 0}, {0, 1, 0}, {0.5F, 0.5F, 2}});
  const Labels labels = row_of({0, 0, 1}, 2);
  const Name name{{{"teapot", 1, 3}, {"sky", 3, 4}}, Name::Policy::mean};
  CHECK(name.tokens() == std::vector<Index>{1, 2, 3});
  CHECK(name(maps, labels).nouns == Nouns{0, 1});
  // The maps may hold other columns than they are numbered by.
  auto shifted = maps;
  shifted.tokens = {2, 11, 12, 30};
  const Name far{{{"teapot", 11, 13}, {"sky", 30, 31}}, Name::Policy::mean};
  CHECK(far(shifted, labels).nouns == Nouns{0, 1});
}

TEST_CASE("Name groups the labels of one word", "[unit]") {
  const auto maps = maps_of<float>({{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 1}});
  const Labels labels = row_of({0, 1, 2, 3}, 4);
  const Name name{{{"cup", 0, 1}, {"plate", 2, 3}, {"cup", 1, 2}, {"spoon", 0, 1}}};
  const Names names = name(maps, labels);
  CHECK(names.nouns == Nouns{0, 2, 1, 1});
  REQUIRE(names.groups.size() == 2);
  CHECK(names.groups[0].word == "cup");
  CHECK(names.groups[0].labels == std::vector<std::int32_t>{0, 1});
  CHECK(names.groups[1].word == "plate");
  CHECK(names.groups[1].labels == std::vector<std::int32_t>{2, 3});
  // As the end of a chain.
  const auto chain = [&](int) { return labels; };
  CHECK((chain | name.with(maps))(0).nouns == names.nouns);
}

TEST_CASE("Name answers when there is nothing to name", "[unit]") {
  const auto maps = maps_of<float>({{0, 0, 1}, {0, 0, 0}});
  const Labels labels = row_of({0, 0, 2}, 3);
  for (const Name::Policy policy : policies) {
    const Names none = Name{{}, policy}(maps, labels);
    CHECK(none.nouns == Nouns{-1, -1, -1});
    CHECK(none.groups.empty());
    // Zeros alone name nothing; a label without pixels has no name; a zero column never wins.
    const Names names = Name{{{"cup", 0, 1}, {"void", 1, 2}}, policy}(maps, labels);
    const Index zeros = policy == Name::Policy::reference_median ? 0 : -1;
    CHECK(names.nouns == Nouns{zeros, -1, 0});
    // No label.
    const CrossMaps<float> empty{{0, 0}, {0, 1}, Matrix<float>(2, 0)};
    CHECK(Name{{{"cup", 0, 1}}, policy}(empty, Labels{}).groups.empty());
    CHECK(Name{{}, policy}(CrossMaps<float>{{1, 3}, {}, {}}, labels).groups.empty());
  }
}

TEST_CASE("Name refuses what does not fit together", "[unit]") {
  const auto maps = maps_of<float>({{1, 0, 1}, {1, 1, 0}});
  const Labels labels = row_of({0, 1, 1}, 2);
  const auto name = [&](const Name::Noun& noun) { return Name{{noun}}(maps, labels); };
  CHECK_THROWS_AS(name({"late", 1, 3}), std::invalid_argument);
  CHECK_THROWS_AS(name({"empty", 1, 1}), std::invalid_argument);
  CHECK_THROWS_AS(name({"early", -1, 1}), std::invalid_argument);
  const Name cup{{{"cup", 0, 1}}};
  CHECK_THROWS_AS(cup(maps, row_of({0, 1}, 2)), std::invalid_argument);
  CHECK_THROWS_AS(cup(maps, row_of({0, 1, 2}, 2)), std::invalid_argument);
  CHECK_THROWS_AS(cup(maps, row_of({0, -1, 1}, 2)), std::invalid_argument);
  auto torn = maps;
  torn.tokens.pop_back();
  CHECK_THROWS_AS(cup(torn, labels), std::invalid_argument);
}
