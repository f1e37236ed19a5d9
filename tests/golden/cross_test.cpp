// SPDX-License-Identifier: MIT
// Cross-attention and names against the published answers, in every case that has them.
#include <cmath>
#include <cstdint>
#include <diffseg/attention/aggregate_cross.hpp>
#include <diffseg/labels/name.hpp>
#include <fstream>
#include <iostream>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/golden.hpp"

namespace {

using namespace diffseg;
using golden::Case;
using Groups = std::map<std::string, std::vector<std::int32_t>>;

std::vector<Case> cross_cases() {
  std::vector<Case> cases;
  for (const Case& test : golden::load_all(DIFFSEG_GOLDEN_DIR)) {
    if (test.has("xk")) cases.push_back(test);
  }
  return cases;
}

nlohmann::json semantics(const Case& test) {
  std::ifstream file(test.folder / "case.json");
  return nlohmann::json::parse(file).at("semantics");
}

/// The published labels, which the published names are about.
Labels stored_labels(const Case& test) {
  const auto file = test.read("labels");
  Labels labels{{file.shape.at(0), file.shape.at(1)}, file.as<std::int32_t>(), {}};
  const auto largest = *std::max_element(labels.values.begin(), labels.values.end());
  labels.proposals.resize(static_cast<std::size_t>(largest) + 1);
  std::iota(labels.proposals.begin(), labels.proposals.end(), 0);
  return labels;
}

/// Published nouns are [i, word], token column i + 1: the first is the start mark.
std::vector<Name::Noun> nouns_of(const nlohmann::json& semantics) {
  std::vector<Name::Noun> nouns;
  for (const auto& noun : semantics.at("nouns")) {
    const Index column = noun.at(0).get<Index>() + 1;
    nouns.push_back({noun.at(1).get<std::string>(), column, column + 1});
  }
  return nouns;
}

Groups groups_of(const Names& names) {
  Groups groups;
  for (const auto& group : names.groups) groups[group.word] = group.labels;
  return groups;
}

template <class Scalar>
Layers layers_of(const Case& test) {
  Layers layers;
  for (const Index side : test.sizes) {
    layers.push_back(golden::cross_attention<Scalar>(test, side));
  }
  return layers;
}

template <class Scalar>
void check_pixels(const Case& test, const Layers& layers, const char* precision) {
  const auto expected = test.matrix("cross_pixels");
  CrossMaps<Scalar> maps;
  AggregateCross{}(layers, maps);
  REQUIRE(maps.values.rows() == expected.cols());
  double error = 0;
  Index row = 0;
  const auto pixels = semantics(test).at("cross_pixel_yx");
  for (const auto& yx : pixels) {
    const Index pixel = yx.at(0).get<Index>() * maps.size.width + yx.at(1).get<Index>();
    const auto found = maps.values.col(pixel).transpose().template cast<double>();
    error = std::max(error, (found - expected.row(row++)).cwiseAbs().maxCoeff());
  }
  REQUIRE(row == expected.rows());
  std::cout << "golden " << test.name << ' ' << precision << ": cross pixels " << error
            << std::endl;
  CHECK(error <= (sizeof(Scalar) == 4 ? 1e-6 : 2.5e-7));  // stored as floats up to 4
}

template <class Scalar>
void check_names(const Case& test, const Layers& layers) {
  const auto expected = semantics(test);
  const Labels labels = stored_labels(test);
  const Name mean{nouns_of(expected), Name::Policy::mean};
  const Name median{nouns_of(expected), Name::Policy::reference_median};
  CrossMaps<Scalar> maps;
  AggregateCross{.size = labels.size, .tokens = mean.tokens()}(layers, maps);
  CHECK(groups_of(mean(maps, labels)) == expected.at("mean").get<Groups>());
  CHECK(groups_of(median(maps, labels)) == expected.at("majority_as_median").get<Groups>());
  // The true vote names every label too; nobody published what.
  const Names voted = Name{nouns_of(expected)}(maps, labels);
  CHECK(std::count(voted.nouns.begin(), voted.nouns.end(), -1) == 0);
}

}  // namespace

TEST_CASE("golden: cross-attention and names agree with the published answers", "[golden]") {
  for (const Case& test : cross_cases()) {
    CAPTURE(test.name);
    check_pixels<float>(test, layers_of<float>(test), "float");
    check_pixels<double>(test, layers_of<double>(test), "double");
    check_names<float>(test, layers_of<float>(test));
    check_names<double>(test, layers_of<double>(test));
  }
}
