// SPDX-License-Identifier: MIT
#include <cstdint>
#include <diffseg/labels/contingency.hpp>
#include <diffseg/labels/evaluate.hpp>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using support::Random;

namespace {

Labels one_row(std::vector<std::int32_t> values) {
  const GridSize size{1, static_cast<Index>(values.size())};
  return {size, std::move(values), {}};
}

Labels random_labels(Random& random, GridSize size, std::int32_t least, std::int32_t most) {
  Labels labels{size, {}, {}};
  for (Index i = 0; i < size.cells(); ++i) {
    labels.values.push_back(static_cast<std::int32_t>(random.integer(least, most)));
  }
  return labels;
}

std::int64_t all_of(const std::vector<std::int64_t>& counts) {
  std::int64_t sum = 0;
  for (const std::int64_t count : counts) sum += count;
  return sum;
}

}  // namespace

TEST_CASE("contingency has the labels that occur however large", "[unit]") {
  const Labels truth = one_row({65535, 7, -1, 65535, 2'000'000'000});
  const Labels predicted = one_row({40000, 3, 9, 3, 40000});
  const SparseCounts table = sparse_contingency(predicted, truth);
  CHECK(table.nonZeros() == 4);
  Counts expected(3, 2);  // 7, 65535, 2e9; 3, 40000
  expected << 1, 0, 1, 1, 0, 1;
  CHECK(table.toDense() == expected);
  CHECK(contingency(predicted, truth) == expected);
  CHECK_THROWS_AS(sparse_contingency(one_row({-1}), one_row({0})), std::invalid_argument);
}

TEST_CASE("confusion stores the pairs that occur", "[unit]") {
  const Labels truth = one_row({65535, 0, 65535, -1});
  const Labels predicted = one_row({65535, 1, 65535, 5});
  const SparseCounts table = sparse_confusion(predicted, truth, 65536, 65536);
  CHECK(table.nonZeros() == 2);
  CHECK(table.coeff(65535, 65535) == 2);
  CHECK(table.coeff(0, 1) == 1);
  CHECK_THROWS_AS(sparse_confusion(predicted, truth, 65535, 65536), std::invalid_argument);
  CHECK_THROWS_AS(sparse_confusion(predicted, truth, 65536, 65535), std::invalid_argument);
  CHECK_THROWS_AS(confusion(predicted, truth, 65536, 65536), std::invalid_argument);
}

TEST_CASE("60000 equal regions are scored and matched", "[unit]") {
  Labels labels{{300, 200}, {}, {}};
  for (std::int32_t id = 0; id < 60000; ++id) labels.values.push_back(id);
  const PartitionScores scores = score(labels, std::vector<Labels>{labels});
  CHECK(scores.covering == Approx(1));
  CHECK(scores.adjusted_rand_index == Approx(1));
  const ClassCounts classes =
      match_classes(sparse_confusion(labels, labels, 65536, 60000), Unmatched::ignored);
  CHECK(classes.pixel_accuracy() == 1);
  CHECK(classes.mean_iou() == 1);
}

TEST_CASE("a truth without annotated pixels counts for nothing", "[unit]") {
  const Labels predicted = one_row({0, 0, 1, 1});
  const Labels nothing = one_row({-1, -1, -1, -1});
  const std::vector<Labels> truths = {one_row({0, 0, 0, 0}), nothing, one_row({0, 0, 1, 1})};
  const PartitionScores scores = score(predicted, truths);
  CHECK(scores.covering == Approx(0.75));
  CHECK(scores.variation_of_information == Approx(0.5));
  CHECK_THROWS_AS(score(predicted, std::vector<Labels>{nothing}), std::invalid_argument);
}

TEST_CASE("large tables are matched as well as small ones", "[unit][law]") {
  Random random(1209);
  INFO(random.note());
  for (int repeat = 0; repeat < 10; ++repeat) {
    const GridSize size{20, random.integer(10, 30)};
    const auto most = static_cast<std::int32_t>(random.integer(1, 300));
    const Labels truth = random_labels(random, size, -1, most);
    const Labels predicted = random_labels(random, size, 0, most);
    for (const Unmatched unmatched : {Unmatched::ignored, Unmatched::false_positives}) {
      const ClassCounts small =
          match_classes(sparse_confusion(predicted, truth, 301, 301), unmatched);
      // More than 2^22 pairs: another way.
      const ClassCounts large =
          match_classes(sparse_confusion(predicted, truth, 301, 70000), unmatched);
      CHECK(all_of(large.true_positives) == all_of(small.true_positives));
      CHECK(all_of(large.false_negatives) == all_of(small.false_negatives));
      CHECK(large.pixels == small.pixels);
      if (unmatched == Unmatched::ignored) continue;
      // Every pixel of a prediction that is not right is somebody's false positive.
      CHECK(all_of(large.false_positives) <= large.pixels - all_of(large.true_positives));
    }
  }
}
