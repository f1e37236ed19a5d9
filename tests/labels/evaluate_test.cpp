// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <diffseg/labels/evaluate.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using support::Random;

namespace {

Labels labels_of(GridSize size, std::vector<std::int32_t> values) {
  Labels labels{size, std::move(values), {}};
  const auto largest = std::max_element(labels.values.begin(), labels.values.end());
  labels.proposals.resize(static_cast<std::size_t>(std::max(0, *largest + 1)));
  std::iota(labels.proposals.begin(), labels.proposals.end(), 0);
  return labels;
}

Labels row_of(std::vector<std::int32_t> values) {
  return labels_of({1, static_cast<Index>(values.size())}, values);
}

Labels random_labels(Random& random, GridSize size, Index count) {
  std::vector<std::int32_t> values;
  for (Index i = 0; i < size.cells(); ++i) {
    values.push_back(static_cast<std::int32_t>(random.integer(0, count - 1)));
  }
  return labels_of(size, values);
}

nlohmann::json published() {
  std::ifstream file(std::filesystem::path(__FILE__).parent_path() /
                     "../files/evaluate/published.json");
  return nlohmann::json::parse(file).at("cases");
}

PartitionScores score(const Labels& predicted, const Labels& truth) {
  return diffseg::score(contingency(predicted, truth));
}

/// The Rand index by its definition, pair by pair.
double agreeing_pairs(const Labels& a, const Labels& b) {
  double agree = 0;
  double all = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    for (std::size_t j = i + 1; j < a.values.size(); ++j, ++all) {
      agree += (a.values[i] == a.values[j]) == (b.values[i] == b.values[j]) ? 1 : 0;
    }
  }
  return agree / all;
}

}  // namespace

TEST_CASE("confusion counts pixels and leaves out what is not annotated", "[unit]") {
  const Counts counts = confusion(row_of({0, 0, 1, 2, 2}), row_of({1, 0, 1, -1, 1}), 3, 4);
  Counts expected = Counts::Zero(3, 4);
  expected(1, 0) = 1;
  expected(0, 0) = 1;
  expected(1, 1) = 1;
  expected(1, 2) = 1;
  CHECK(counts == expected);
}

TEST_CASE("confusion refuses labels outside it and sizes that differ", "[unit]") {
  const Labels two = row_of({0, 1});
  CHECK_THROWS_AS(confusion(two, two, 1, 2), std::invalid_argument);
  CHECK_THROWS_AS(confusion(two, two, 2, 1), std::invalid_argument);
  CHECK_THROWS_AS(confusion(row_of({0, -1}), two, 2, 2), std::invalid_argument);
  CHECK_THROWS_AS(confusion(two, labels_of({2, 1}, {0, 1}), 2, 2), std::invalid_argument);
  CHECK_THROWS_AS(confusion(two, Labels{{1, 2}, {0}, {0}}, 2, 2), std::invalid_argument);
  CHECK_THROWS_AS(diffseg::score(contingency(two, row_of({-1, -1}))), std::invalid_argument);
  CHECK_THROWS_AS(diffseg::score(two, std::vector<Labels>{}), std::invalid_argument);
  const std::vector<Counts> uneven = {Counts::Zero(2, 2), Counts::Zero(3, 2)};
  CHECK_THROWS_AS(per_image(uneven, Unmatched::ignored), std::invalid_argument);
  CHECK_THROWS_AS(per_dataset(uneven, Unmatched::ignored), std::invalid_argument);
}

TEST_CASE("classes are matched as worked out by hand", "[unit]") {
  // Truth 0 0 0 1 1 1, prediction 1 1 2 0 0 2: class 0 takes 1, class 1 takes 0, 2 is left over.
  const std::vector<Counts> photo = {
      confusion(row_of({1, 1, 2, 0, 0, 2}), row_of({0, 0, 0, 1, 1, 1}), 2, 3)};
  const ClassCounts lenient = per_image(photo, Unmatched::ignored);
  CHECK(lenient.true_positives == std::vector<std::int64_t>{2, 2});
  CHECK(lenient.false_positives == std::vector<std::int64_t>{0, 0});
  CHECK(lenient.false_negatives == std::vector<std::int64_t>{1, 1});
  CHECK(lenient.pixel_accuracy() == Approx(4.0 / 6));
  CHECK(lenient.mean_iou() == Approx(2.0 / 3));
  // The left over prediction covers both classes alike: the first bears its other pixel.
  const ClassCounts strict = per_image(photo, Unmatched::false_positives);
  CHECK(strict.false_positives == std::vector<std::int64_t>{1, 0});
  CHECK(strict.mean_iou() == Approx((2.0 / 4 + 2.0 / 3) / 2));
  CHECK(strict.pixel_accuracy() == lenient.pixel_accuracy());
}

TEST_CASE("one matching per photo is not one for all photos", "[unit]") {
  // The second photo has the same regions under exchanged numbers.
  const Labels truth = row_of({0, 0, 1, 1});
  const std::vector<Counts> photos = {confusion(row_of({0, 0, 1, 1}), truth, 2, 2),
                                      confusion(row_of({1, 1, 0, 0}), truth, 2, 2)};
  CHECK(per_image(photos, Unmatched::ignored).mean_iou() == 1);
  CHECK(per_dataset(photos, Unmatched::ignored).mean_iou() == Approx(1.0 / 3));
  CHECK(per_dataset(photos, Unmatched::ignored).pixel_accuracy() == 0.5);
}

TEST_CASE("classes that nobody has are left out of the mean", "[unit]") {
  const std::vector<Counts> photo = {confusion(row_of({0, 0}), row_of({2, 2}), 4, 1)};
  const ClassCounts counts = per_image(photo, Unmatched::ignored);
  const auto ious = counts.ious();
  CHECK_FALSE(ious[0].has_value());
  CHECK(ious[2] == 1.0);
  CHECK(counts.mean_iou() == 1);
  CHECK(per_image({}, Unmatched::ignored).mean_iou() == 0);
  CHECK(per_dataset({}, Unmatched::ignored).pixel_accuracy() == 0);
}

TEST_CASE("per_image counts what the published protocol counts", "[unit]") {
  for (const auto& entry : published()) {
    const GridSize size{entry.at("height").get<Index>(), entry.at("width").get<Index>()};
    std::vector<Counts> photos;
    for (const auto& photo : entry.at("photos")) {
      photos.push_back(
          confusion(labels_of(size, photo.at("predicted")), labels_of(size, photo.at("truth")),
                    entry.at("classes").get<Index>(), entry.at("predictions").get<Index>()));
    }
    using List = std::vector<std::int64_t>;
    const ClassCounts counts = per_image(photos, Unmatched::ignored);
    CHECK(counts.true_positives == entry.at("true_positives").get<List>());
    CHECK(counts.false_positives == entry.at("false_positives").get<List>());
    CHECK(counts.false_negatives == entry.at("false_negatives").get<List>());
    CHECK(counts.pixels == entry.at("pixels").get<std::int64_t>());
  }
}

TEST_CASE("partition scores are as worked out by hand", "[unit]") {
  const Labels halves = row_of({0, 0, 1, 1});
  const PartitionScores same = score(row_of({5, 5, 3, 3}), halves);
  CHECK(same.covering == Approx(1));
  CHECK(same.rand_index == Approx(1));
  CHECK(same.adjusted_rand_index == Approx(1));
  CHECK(same.variation_of_information == Approx(0).margin(1e-12));
  // One region: each half has IoU 1/2; 2 of 6 pairs agree; the truth's one bit is lost.
  const PartitionScores whole = score(row_of({0, 0, 0, 0}), halves);
  CHECK(whole.covering == Approx(0.5));
  CHECK(whole.rand_index == Approx(1.0 / 3));
  CHECK(whole.adjusted_rand_index == Approx(0).margin(1e-12));
  CHECK(whole.variation_of_information == Approx(1));
  // Crossed halves: every IoU is 1/3, two bits apart, worse than chance.
  const PartitionScores crossed = score(row_of({0, 1, 0, 1}), halves);
  CHECK(crossed.covering == Approx(1.0 / 3));
  CHECK(crossed.rand_index == Approx(1.0 / 3));
  CHECK(crossed.adjusted_rand_index == Approx(-0.5));
  CHECK(crossed.variation_of_information == Approx(2));
  // Covering has a direction: the truth's regions are covered.
  CHECK(score(row_of({0, 0, 0, 1}), row_of({0, 0, 0, 0})).covering == Approx(0.75));
  CHECK(score(row_of({0, 0, 0, 0}), row_of({0, 0, 0, 1})).covering == Approx(0.75 * 0.75 + 0.0625));
  // Not annotated pixels count nowhere, and one pixel is enough.
  CHECK(score(row_of({0, 1, 0}), row_of({0, 1, -1})).covering == 1);
  CHECK(score(row_of({0}), row_of({0})).adjusted_rand_index == 1);
}

TEST_CASE("several annotators count alike", "[unit]") {
  const std::vector<Labels> truths = {row_of({0, 0, 1, 1}), row_of({0, 0, 0, 0})};
  const PartitionScores scores = diffseg::score(row_of({0, 0, 0, 0}), truths);
  CHECK(scores.covering == Approx(0.75));
  CHECK(scores.rand_index == Approx((1.0 / 3 + 1) / 2));
  CHECK(scores.variation_of_information == Approx(0.5));
}

TEST_CASE("the Rand indices are those of scikit-learn", "[unit]") {
  for (const auto& entry : published()) {
    const GridSize size{entry.at("height").get<Index>(), entry.at("width").get<Index>()};
    for (const auto& photo : entry.at("photos")) {
      const PartitionScores scores =
          score(labels_of(size, photo.at("predicted")), labels_of(size, photo.at("truth")));
      CHECK(scores.rand_index == Approx(photo.at("rand").get<double>()).epsilon(1e-12));
      CHECK(scores.adjusted_rand_index ==
            Approx(photo.at("adjusted_rand").get<double>()).epsilon(1e-9).margin(1e-12));
    }
  }
}

TEST_CASE("partition scores obey their laws", "[unit][law]") {
  Random random(72);
  INFO(random.note());
  for (int repeat = 0; repeat < 40; ++repeat) {
    const GridSize size = random.grid(1, 9);
    const Labels a = random_labels(random, size, random.integer(1, 6));
    const Labels b = random_labels(random, size, random.integer(1, 6));
    const PartitionScores ab = score(a, b);
    const PartitionScores ba = score(b, a);
    CHECK(ab.variation_of_information == Approx(ba.variation_of_information).margin(1e-12));
    CHECK(ab.adjusted_rand_index == Approx(ba.adjusted_rand_index).margin(1e-12));
    if (size.cells() > 1) CHECK(ab.rand_index == Approx(agreeing_pairs(a, b)));
    CHECK(ab.covering > 0);
    CHECK(ab.covering <= 1 + 1e-12);
    CHECK(ab.variation_of_information >= -1e-12);
    // Other numbers, same regions.
    Labels renamed = a;
    for (auto& label : renamed.values) label = 40 - 3 * label;
    CHECK(score(renamed, b).covering == Approx(ab.covering));
    CHECK(score(a, a).adjusted_rand_index == Approx(1));
  }
}

TEST_CASE("borders are scored as worked out by hand", "[unit]") {
  // Borders behind columns 1 and 5, and behind 3 and 5.
  const Labels truth = row_of({0, 0, 1, 1, 1, 1, 2, 2, 2, 2});
  const Labels found = row_of({0, 0, 0, 0, 1, 1, 2, 2, 2, 2});
  const auto exact = score_boundaries(found, truth, 0);
  REQUIRE(exact.precision == 0.5);
  REQUIRE(exact.recall == 0.5);
  REQUIRE(exact.f_measure == 0.5);
  REQUIRE(score_boundaries(found, truth, 1).f_measure == 0.5);
  REQUIRE(score_boundaries(found, truth).f_measure == 1);  // two pixels aside
  const Labels more = row_of({0, 0, 1, 1, 1, 1, 2, 2, 2, 3});
  REQUIRE(score_boundaries(more, truth).precision == Approx(2.0 / 3));
  REQUIRE(score_boundaries(more, truth).recall == 1);
  REQUIRE(score_boundaries(more, truth).f_measure == Approx(0.8));
}

TEST_CASE("no borders agree with no borders", "[unit]") {
  const Labels whole = row_of({0, 0, 0});
  const Labels halves = row_of({0, 0, 1});
  REQUIRE(score_boundaries(whole, whole).f_measure == 1);
  REQUIRE(score_boundaries(whole, halves).f_measure == 0);
  REQUIRE(score_boundaries(halves, whole).f_measure == 0);
  REQUIRE(score_boundaries(halves, row_of({-1, 0, 0})).f_measure == 0);
  REQUIRE(score_boundaries(halves, row_of({0, -1, 0})).f_measure == 1);  // none is known
  REQUIRE_THROWS_AS(score_boundaries(whole, row_of({0})), std::invalid_argument);
  REQUIRE_THROWS_AS(score_boundaries(whole, halves, -1), std::invalid_argument);
}

TEST_CASE("border scores are symmetric and grow with the radius", "[unit][law]") {
  Random random(2102);
  INFO(random.note());
  for (int trial = 0; trial < 10; ++trial) {
    const GridSize size = random.grid(2, 12);
    const Labels a = random_labels(random, size, 2);
    const Labels b = random_labels(random, size, 3);
    double before = 0;
    for (const Index radius : {0, 1, 2, 3}) {
      const auto forth = score_boundaries(a, b, radius);
      const auto back = score_boundaries(b, a, radius);
      REQUIRE(forth.precision == back.recall);
      REQUIRE(forth.f_measure == back.f_measure);
      REQUIRE(forth.f_measure >= before);
      before = forth.f_measure;
    }
    REQUIRE(score_boundaries(a, a, 0).f_measure == 1);
  }
}
