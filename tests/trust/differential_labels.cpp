// SPDX-License-Identifier: MIT
// The stages of labels/ beside plain loops.
#include <compiled/double.hpp>
#include <diffseg/labels/evaluate.hpp>
#include <diffseg/labels/name.hpp>
#include <numeric>
#include <utility>

#include "trust/differential.hpp"
#include "trust/plain/grids.hpp"
#include "trust/plain/labels.hpp"
#include "trust/plain/regions.hpp"

namespace trust {
namespace {

using namespace diffseg;

/// Rectangles over each other, and crumbs; labels below `count`, some of which may be nowhere.
std::vector<std::int32_t> random_values(Case& test, GridSize size, Index count, double crumbs) {
  std::vector<std::int32_t> values(at(size.cells()), 0);
  for (Index i = 0; i < 2 * count; ++i) {
    const Index top = test.random.integer(0, size.height - 1);
    const Index left = test.random.integer(0, size.width - 1);
    const Index bottom = test.random.integer(top, size.height - 1);
    const Index right = test.random.integer(left, size.width - 1);
    const auto label = static_cast<std::int32_t>(test.random.integer(0, count - 1));
    for (Index y = top; y <= bottom; ++y) {
      for (Index x = left; x <= right; ++x) values[at(y * size.width + x)] = label;
    }
  }
  for (auto& value : values) {
    if (test.chance(crumbs)) value = static_cast<std::int32_t>(test.random.integer(0, count - 1));
  }
  return values;
}

Labels random_labels(Case& test, GridSize size, double crumbs) {
  const Index count = test.random.integer(1, 8);
  Labels labels{size, random_values(test, size, count, crumbs), {}};
  for (Index i = 0; i < count; ++i) labels.proposals.push_back(static_cast<std::int32_t>(3 * i));
  test.describe(count, " labels of ", size, ", crumbs ", crumbs);
  return labels;
}

template <class Scalar>
Proposals<Scalar> random_proposals(Case& test) {
  const GridSize grid = test.grid(100);
  const Index count = test.random.integer(1, 12);
  Proposals<Scalar> proposals;
  proposals.maps = {grid, Matrix<Scalar>::Constant(grid.cells(), grid.cells(), Scalar(1))};
  proposals.rows = support::random_rows<Scalar>(test.random, count, grid.cells(), 4, 0.5, 1);
  if (count > 2 && test.chance(0.5)) proposals.rows.row(count - 1) = proposals.rows.row(0);
  if (test.chance(0.2)) proposals.rows.row(0).setZero();
  test.describe(count, " proposals on ", grid);
  return proposals;
}

template <class Scalar>
void run_assign(Case& test) {
  const auto proposals = random_proposals<Scalar>(test);
  const GridSize grid = proposals.maps.grid();
  Assign stage;
  stage.size = test.grid(900);
  stage.ids = test.any({Assign::Ids::compact, Assign::Ids::reference});
  test.describe("size ", stage.size);
  const Labels labels = stage(proposals);
  test.same("the size", 0, labels.size, stage.size);
  const plain::Table rows = plain::bilinear(grid.height, stage.size.height);
  const plain::Table columns = plain::bilinear(grid.width, stage.size.width);
  Matrix<double> planes(proposals.rows.rows(), stage.size.cells());
  for (Index k = 0; k < planes.rows(); ++k) {
    planes.row(k) =
        plain::resampled(proposals.rows.row(k).transpose().array().template cast<double>(), rows,
                         columns)
            .matrix()
            .transpose();
  }
  const double largest = static_cast<double>(proposals.rows.maxCoeff());
  const double side = static_cast<double>(std::max(grid.height, grid.width));
  std::vector<bool> wins(at(planes.rows()), false);
  for (Index pixel = 0; pixel < stage.size.cells(); ++pixel) {
    Index best = 0;
    planes.col(pixel).maxCoeff(&best);
    const double most = planes(best, pixel);
    const Index found = labels.proposals.at(at(labels.values.at(at(pixel))));
    wins[at(found)] = true;
    if (found == best) continue;
    // Two products and a sum for each axis, and the place in double.
    const double bound = 6 * both<Scalar> * most + 8 * epsilon<double> * side * largest;
    test.within("the largest proposal", pixel, planes(found, pixel), most, 2 * bound);
    const bool alike = proposals.rows.row(found) == proposals.rows.row(best);
    test.holds("the first of equals", pixel, !alike || found < best);
    test.undecided();
  }
  for (std::size_t i = 0; i < labels.proposals.size(); ++i) {
    const bool compact = stage.ids == Assign::Ids::compact;
    if (compact) test.holds("a label without pixels", 0, wins[at(labels.proposals[i])]);
    if (!compact) test.same("a reference id", 0, at(labels.proposals[i]), i);
    if (i > 0) test.holds("the order of labels", 0, labels.proposals[i] > labels.proposals[i - 1]);
  }
}

void run_tidy(Case& test) {
  const Labels labels = random_labels(test, test.grid(400), test.any({0.0, 0.02, 0.2}));
  Tidy stage;
  stage.min_area = test.any({0.0, 0.01, 0.03, 0.1, 1.0});
  stage.split = test.chance(0.3);
  stage.max_labels = test.chance(0.4) ? test.random.integer(1, 5) : 0;
  test.describe("min_area ", stage.min_area, stage.split ? ", split" : "", ", max_labels ",
                stage.max_labels);
  const Labels found = stage(labels);
  std::vector<std::int32_t> values = labels.values;
  std::vector<std::int32_t> origins(labels.proposals.size());
  std::iota(origins.begin(), origins.end(), 0);
  if (stage.split) {
    const std::vector<Index> regions = plain::Regions(labels.size, values).regions();
    const Index count = *std::max_element(regions.begin(), regions.end()) + 1;
    std::vector<std::pair<std::int32_t, Index>> ranks;  // by label, then by first pixel
    for (Index region = 0; region < count; ++region) {
      const auto first = std::find(regions.begin(), regions.end(), region) - regions.begin();
      ranks.emplace_back(labels.values[at(first)], region);
    }
    std::sort(ranks.begin(), ranks.end());
    origins.clear();
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
      origins.push_back(ranks[rank].first);
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (regions[i] == ranks[rank].second) values[i] = static_cast<std::int32_t>(rank);
      }
    }
  }
  plain::Regions regions(labels.size, values);
  regions.absorb_small(stage.min_area * static_cast<double>(labels.size.cells()));
  if (stage.max_labels > 0) regions.absorb_labels(stage.max_labels);
  if (regions.undecided()) return test.undecided();
  std::vector<std::int32_t> used = regions.values();
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  test.same("labels", 0, found.proposals.size(), used.size());
  for (std::size_t i = 0; i < used.size(); ++i) {
    test.same("the proposal of a label", static_cast<Index>(i), found.proposals[i],
              labels.proposals[at(origins[at(used[i])])]);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    test.same("a label", static_cast<Index>(i), used.at(at(found.values[i])), regions.values()[i]);
  }
}

/// A photo whose lightness in steps of 1 / 4096 rounding does not turn, and that lightness.
template <class Scalar>
Image<Scalar> random_photo(Case& test, GridSize size, std::vector<double>& guide) {
  const Index channels = test.any<Index>({1, 3});
  Image<Scalar> photo(size, channels, {});
  const double contrast = test.any({0.0, 0.02, 0.5});
  test.describe(channels, " channels, contrast ", contrast);
  for (Index i = 0; i < size.cells(); ++i) {
    double steps = 0.5;
    std::vector<double> pixel(at(channels));
    while (std::abs(steps - std::floor(steps) - 0.5) < 0.05) {
      for (double& value : pixel) {
        // In steps of 1 / 255, as photos come, off the borders of 1 / 4096.
        const double wave = 0.5 + contrast * (test.random.uniform() - 0.5);
        value = static_cast<double>(static_cast<Scalar>(std::round(255 * wave) / 255));
        if (test.chance(0.1)) value = test.any({0.0, 1.0, 0.25});
      }
      steps = 4096 * plain::lightness(pixel.data(), channels);
    }
    guide.push_back(std::round(steps) / 4096);
    for (const double value : pixel) photo.values.push_back(static_cast<Scalar>(value));
  }
  return photo;
}

template <class Scalar>
void run_borders(Case& test) {
  const Labels labels = random_labels(test, test.grid(400), test.any({0.0, 0.05}));
  std::vector<double> guide;
  const Image<Scalar> photo = random_photo<Scalar>(test, labels.size, guide);
  FitBorders stage;
  stage.radius = test.random.integer(1, 5);
  stage.epsilon = test.any({1e-6, 1e-4, 1e-3, 1e-3, 1.0});
  stage.min_area = 0;
  test.describe("radius ", stage.radius, ", epsilon ", stage.epsilon);
  const Labels found = stage(labels, photo);
  test.holds("proposals", 0, found.proposals == labels.proposals);
  const plain::Guided guided(labels.size, guide, stage.radius, stage.epsilon);
  std::vector<std::vector<double>> planes;
  for (Index label = 0; label < labels.count(); ++label) {
    planes.push_back(guided.filter(labels.values, static_cast<std::int32_t>(label)));
  }
  // Slopes and offsets, up to 1 + 1 / (4 sqrt(epsilon)), are cut to steps of `step`, and come from
  // a few roundings in float; one label has what all others leave.
  const double largest = 1 + 0.25 / std::sqrt(stage.epsilon);
  const auto cells = static_cast<double>((2 * stage.radius + 1) * (2 * stage.radius + 1));
  const double step = 2 * cells * largest / std::ldexp(1.0, 30);
  const double bound =
      static_cast<double>(labels.count() + 1) * (2 * step + 12 * epsilon<float> * largest);
  for (Index pixel = 0; pixel < labels.size.cells(); ++pixel) {
    double most = -1;
    for (const auto& plane : planes) most = std::max(most, plane[at(pixel)]);
    const double own = planes.at(at(found.values[at(pixel)]))[at(pixel)];
    test.within("the largest mask", pixel, own, most, 2 * bound);
    if (own < most) test.undecided();
  }
  // What is too small goes as in Tidy.
  FitBorders whole = stage;
  whole.min_area = test.random.uniform(0, 0.05);
  plain::Regions regions(labels.size, found.values);
  regions.absorb_small(whole.min_area * static_cast<double>(labels.size.cells()));
  if (regions.undecided()) return test.undecided();
  test.holds("regions that are too small", 0, whole(labels, photo).values == regions.values());
}

Labels random_truth(Case& test, GridSize size, Index count) {
  Labels truth{size, random_values(test, size, count, 0.05), {}};
  const double unknown = test.any({0.0, 0.0, 0.1, 0.9});
  for (auto& value : truth.values) {
    if (test.chance(unknown)) value = -1;
  }
  return truth;
}

void run_contingency(Case& test) {
  const GridSize size = test.grid(400);
  const Index classes = test.random.integer(1, 6);
  const Index labels = test.random.integer(1, 7);
  const Labels predicted{size, random_values(test, size, labels, 0.05), {}};
  const Labels truth = random_truth(test, size, classes);
  test.describe(size, ", ", classes, " classes, ", labels, " labels");
  const auto expected = plain::shared(predicted.values, truth.values);
  const Counts dense = confusion(predicted, truth, classes, labels);
  const SparseCounts sparse = sparse_confusion(predicted, truth, classes, labels);
  test.same("pairs that are stored", 0, static_cast<std::size_t>(sparse.nonZeros()),
            expected.size());
  std::set<Index> rows;
  std::set<Index> columns;
  for (const auto& [pair, count] : expected) {
    rows.insert(pair.first);
    columns.insert(pair.second);
  }
  const Counts table = contingency(predicted, truth);
  test.same("regions of the truth", 0, static_cast<std::size_t>(table.rows()), rows.size());
  test.same("regions of the prediction", 0, static_cast<std::size_t>(table.cols()), columns.size());
  for (Index row = 0; row < classes; ++row) {
    for (Index column = 0; column < labels; ++column) {
      const auto entry = expected.find({row, column});
      const std::int64_t count = entry == expected.end() ? 0 : entry->second;
      test.same("a count", row, dense(row, column), count);
      test.same("a stored count", row, sparse.coeff(row, column), count);
      if (rows.count(row) == 0 || columns.count(column) == 0) continue;
      test.same("a count of regions", row,
                table(std::distance(rows.begin(), rows.find(row)),
                      std::distance(columns.begin(), columns.find(column))),
                count);
    }
  }
}

void run_evaluate(Case& test) {
  const GridSize size = test.grid(150);
  const Labels predicted{size, random_values(test, size, test.random.integer(1, 7), 0.05), {}};
  const Labels truth = random_truth(test, size, test.random.integer(1, 6));
  test.describe(size);
  const Index radius = test.random.integer(0, 4);
  const auto found = plain::borders(size, predicted.values, truth.values);
  const auto expected = plain::borders(size, truth.values, truth.values);
  const BoundaryScores boundaries = score_boundaries(predicted, truth, radius);
  const double precision = plain::near(size, found, expected, radius);
  const double recall = plain::near(size, expected, found, radius);
  test.same("precision", 0, boundaries.precision, precision);
  test.same("recall", 0, boundaries.recall, recall);
  const double sum = precision + recall;
  test.within("f measure", 0, boundaries.f_measure, sum > 0 ? 2 * precision * recall / sum : 0,
              1e-15);
  if (plain::shared(predicted.values, truth.values).empty()) return;
  const PartitionScores scores = score(sparse_contingency(predicted, truth));
  const plain::Scores plainly = plain::scores(predicted.values, truth.values);
  test.within("covering", 0, scores.covering, plainly.covering, 1e-12);
  test.within("rand index", 0, scores.rand_index, plainly.rand, 1e-12);
  test.within("adjusted rand index", 0, scores.adjusted_rand_index, plainly.adjusted, 1e-9);
  test.within("variation of information", 0, scores.variation_of_information, plainly.variation,
              1e-10);
}

void run_matching(Case& test) {
  const Index classes = test.random.integer(1, 6);
  const Index labels = test.random.integer(1, 6);
  const double empty = test.any({0.0, 0.3, 0.8});
  Counts counts = Counts::Zero(classes, labels);
  std::vector<std::vector<std::int64_t>> scores(at(classes), std::vector<std::int64_t>(at(labels)));
  for (Index row = 0; row < classes; ++row) {
    for (Index column = 0; column < labels; ++column) {
      counts(row, column) = test.chance(empty) ? 0 : test.random.integer(0, test.any({3, 1000}));
      scores[at(row)][at(column)] = counts(row, column);
    }
  }
  test.describe(classes, " classes, ", labels, " labels");
  const std::int64_t best = plain::best_matching(scores);
  const SparseCounts sparse = counts.sparseView();
  const auto sum_of = [&](const std::vector<Index>& columns) {
    std::int64_t sum = 0;
    std::set<Index> used;
    for (Index row = 0; row < classes; ++row) {
      const Index column = columns.at(at(row));
      if (column < 0 || column >= labels) continue;
      test.holds("a column once", row, used.insert(column).second);
      sum += counts(row, column);
    }
    return sum;
  };
  const auto columns = class_matching(sparse);
  test.same("the matched pixels", 0, sum_of(columns), best);
  test.same("the matched pixels, sparse", 0, sum_of(detail::match_sparse_rows(sparse)), best);
  test.same("the matched pixels, all classes", 0, sum_of(detail::match_all_classes(sparse)), best);
  const auto unmatched = test.any({Unmatched::ignored, Unmatched::false_positives});
  const ClassCounts found = count_matched(sparse, columns, unmatched);
  for (Index row = 0; row < classes; ++row) {
    const Index column = columns[at(row)];
    const bool matched = column >= 0 && column < labels;
    const std::int64_t right = matched ? counts(row, column) : 0;
    std::int64_t wrong = matched ? counts.col(column).sum() - right : 0;
    for (Index other = 0; other < labels && unmatched == Unmatched::false_positives; ++other) {
      if (std::find(columns.begin(), columns.end(), other) != columns.end()) continue;
      Index most = 0;
      const std::int64_t largest = counts.col(other).maxCoeff(&most);
      if (most == row && largest > 0) wrong += counts.col(other).sum() - largest;
    }
    test.same("true positives", row, found.true_positives[at(row)], right);
    test.same("false positives", row, found.false_positives[at(row)], wrong);
    test.same("false negatives", row, found.false_negatives[at(row)],
              counts.row(row).sum() - right);
  }
  test.same("pixels", 0, found.pixels, counts.sum());
}

/// Nouns over some columns, and the maps of these.
template <class Scalar>
CrossMaps<Scalar> random_cross_maps(Case& test, GridSize size, Name& stage) {
  const Index count = test.random.integer(1, 4);
  for (Index i = 0; i < count; ++i) {
    const Index begin = test.random.integer(0, 8);
    stage.nouns.push_back(
        {test.any({"cat", "dog", "tree", "sky"}), begin, begin + test.random.integer(1, 3)});
  }
  CrossMaps<Scalar> maps;
  maps.size = size;
  maps.tokens = stage.tokens();
  maps.values.resize(static_cast<Index>(maps.tokens.size()), size.cells());
  for (Index i = 0; i < maps.values.size(); ++i) {
    maps.values.data()[i] =
        test.chance(0.1) ? Scalar(0) : static_cast<Scalar>(test.random.uniform());
  }
  return maps;
}

/// The nouns of a label, plainly; -2: rounding decides.
Index noun_of(const Matrix<double>& planes, const Labels& labels, Index label, Name::Policy policy,
              double rounding) {
  std::vector<double> sums(at(planes.rows()), 0);
  std::vector<Index> votes;
  std::vector<Index> count(at(planes.rows()), 0);
  for (Index pixel = 0; pixel < planes.cols(); ++pixel) {
    if (labels.values[at(pixel)] != label) continue;
    Index best = 0;
    for (Index noun = 0; noun < planes.rows(); ++noun) {
      sums[at(noun)] += planes(noun, pixel);
      if (planes(noun, pixel) > planes(best, pixel)) best = noun;
    }
    for (Index noun = 0; noun < planes.rows() && policy != Name::Policy::mean; ++noun) {
      const double gap = planes(best, pixel) - planes(noun, pixel);
      if (noun != best && planes(best, pixel) > 0 && gap <= rounding * planes(best, pixel)) {
        return -2;
      }
    }
    if (policy == Name::Policy::majority && planes(best, pixel) <= 0) continue;
    votes.push_back(best);
    ++count[at(best)];
  }
  if (policy == Name::Policy::mean) {
    const auto most = std::max_element(sums.begin(), sums.end());
    for (auto one = sums.begin(); one != sums.end(); ++one) {
      if (one != most && *most > 0 && *most - *one <= 2 * rounding * *most) return -2;
    }
    return *most > 0 ? most - sums.begin() : -1;
  }
  if (votes.empty()) return -1;
  if (policy == Name::Policy::majority) {
    return std::max_element(count.begin(), count.end()) - count.begin();
  }
  std::sort(votes.begin(), votes.end());
  return (votes[(votes.size() - 1) / 2] + votes[votes.size() / 2]) / 2;
}

template <class Scalar>
void run_name(Case& test) {
  const GridSize size = test.grid(200);
  const Labels labels = random_labels(test, size, 0.05);
  Name stage;
  stage.policy =
      test.any({Name::Policy::majority, Name::Policy::mean, Name::Policy::reference_median});
  const auto maps = random_cross_maps<Scalar>(test, size, stage);
  test.describe(stage.nouns.size(), " nouns, policy ", static_cast<int>(stage.policy));
  const Names found = stage(maps, labels);
  Matrix<double> planes =
      Matrix<double>::Zero(static_cast<Index>(stage.nouns.size()), size.cells());
  for (Index noun = 0; noun < planes.rows(); ++noun) {
    for (std::size_t i = 0; i < maps.tokens.size(); ++i) {
      const auto& own = stage.nouns[at(noun)];
      if (maps.tokens[i] < own.begin || maps.tokens[i] >= own.end) continue;
      planes.row(noun) += maps.values.row(static_cast<Index>(i)).template cast<double>();
    }
    const double norm = planes.row(noun).norm();
    if (norm > 0) planes.row(noun) /= norm;
  }
  for (Index label = 0; label < labels.count(); ++label) {
    const Index expected = noun_of(planes, labels, label, stage.policy, 8 * both<Scalar>);
    if (expected == -2) {
      test.undecided();
    } else {
      test.same("the noun of a label", label, found.nouns.at(at(label)), expected);
    }
  }
}

}  // namespace

std::vector<Stage> label_stages() {
  return {
      {"assign", "12 epsilon of the largest proposal there; undecided: another one is as large",
       either<run_assign<float>, run_assign<double>>},
      {"tidy", "the same labels; undecided: regions that have grown tie", run_tidy},
      {"borders", "labels x (cut slopes and offsets, 12 float epsilon of the largest slope)",
       either<run_borders<float>, run_borders<double>>},
      {"contingency", "the same counts", run_contingency},
      {"evaluate", "1e-12 (adjusted 1e-9, information 1e-10): sums in double", run_evaluate},
      {"matching", "the largest sum of all choices, the same counts", run_matching},
      {"name", "the same nouns; undecided: two are alike to 8 epsilon",
       either<run_name<float>, run_name<double>>},
  };
}

}  // namespace trust
