// SPDX-License-Identifier: MIT
// The stages of merge/ beside plain loops.
#include <compiled/double.hpp>
#include <diffseg/merge/choose.hpp>
#include <limits>
#include <set>
#include <utility>

#include "trust/differential.hpp"
#include "trust/plain/lloyd.hpp"

namespace trust {
namespace {

using namespace diffseg;

template <class Scalar>
Maps<Scalar> random_maps(Case& test, Index most_cells) {
  const GridSize grid = test.grid(most_cells);
  const Index clusters = test.random.integer(1, 6);
  const double spread = test.any({0.0, 0.1, 0.5, 0.5, 1.0});
  const double contrast = test.random.uniform(0, 2);
  test.describe("maps on ", grid, " in ", clusters, " clusters, spread ", spread, ", contrast ",
                contrast);
  auto rows = support::random_rows<Scalar>(test.random, grid.cells(), grid.cells(), clusters,
                                           spread, contrast);
  if (grid.cells() > 1 && test.chance(0.3)) {  // numbers at the floor, as of cells far apart
    for (Index row = 0; row < rows.rows(); ++row) {
      for (Index i = 0; i < rows.cols(); ++i) {
        if (i != row && test.chance(0.3)) rows(row, i) = Scalar(1e-30);
      }
      rows.row(row) /= rows.row(row).sum();
    }
    test.describe("with floors");
    rows = rows.cwiseMax(Scalar(1e-30));
  }
  return {grid, std::move(rows)};
}

template <class Scalar>
Compare random_compare(Case& test, GridSize grid) {
  Compare stage;
  stage.anchors = {test.random.integer(1, grid.height), test.random.integer(1, grid.width)};
  if (test.chance(0.3)) {
    stage.placement = Compare::Placement::published;
  }
  stage.ceiling = test.any({0.1, 0.5, 1.0, 1.0, 5.0, 1e30});
  test.describe("anchors ", stage.anchors, ", ceiling ", stage.ceiling);
  return stage;
}

template <class Scalar>
void run_compare(Case& test) {
  const auto maps = random_maps<Scalar>(test, 150);
  Compare stage = random_compare<Scalar>(test, maps.grid());
  const GridSize used = stage.anchors;
  if (test.chance(0.2)) {
    stage.fit = true;
    if (used.height == maps.grid().height) stage.anchors.height += 3;
    if (used.width == maps.grid().width) stage.anchors.width += 1;
  }
  const Similarities<Scalar> found = stage(maps);
  const auto anchors =
      plain::anchors(maps.grid(), used, stage.placement == Compare::Placement::published);
  test.holds("anchors", 0, found.anchors == anchors);
  const Matrix<double> rows = maps.rows().template cast<double>();
  const Index n = rows.cols();
  Index stored = 0;
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    std::vector<double> values(static_cast<std::size_t>(n), -1);
    const auto anchor = static_cast<Index>(i);
    for (typename Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>::InnerIterator entry(
             found.divergences, anchor);
         entry; ++entry) {
      values[static_cast<std::size_t>(entry.col())] = static_cast<double>(entry.value());
      ++stored;
    }
    for (Index row = 0; row < n; ++row) {
      const auto expected =
          plain::divergence(rows.data() + anchors[i] * n, rows.data() + row * n, n);
      const double value = values[static_cast<std::size_t>(row)];
      const double bound = both<Scalar> * expected.error;
      if (std::abs(expected.value - stage.ceiling) <= bound) {
        test.undecided();
      } else {
        test.same("below the ceiling", row, value >= 0, expected.value < stage.ceiling);
      }
      if (value >= 0) test.within("a divergence", row, value, expected.value, bound);
    }
    test.same("of an anchor with itself", anchor, values[static_cast<std::size_t>(anchors[i])],
              0.0);
  }
  test.holds(
      "pairs evaluated", 0,
      found.evaluated >= stored && found.evaluated <= n * static_cast<Index>(anchors.size()));
}

/// Similarities, and the maps of each anchor closer than a threshold, as they are stored.
template <class Scalar>
plain::Sets close_maps(const Similarities<Scalar>& similarities, double threshold) {
  plain::Sets sets(similarities.anchors.size());
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (typename Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>::InnerIterator entry(
             similarities.divergences, static_cast<Index>(i));
         entry; ++entry) {
      if (static_cast<double>(entry.value()) < threshold) sets[i].push_back(entry.col());
    }
  }
  return sets;
}

template <class Scalar>
void run_merge(Case& test) {
  const auto maps = random_maps<Scalar>(test, 100);
  const Compare compare = random_compare<Scalar>(test, maps.grid());
  const Similarities<Scalar> similarities = compare(maps);
  Merge stage;
  stage.thresholds.clear();
  const Index steps = test.random.integer(1, 4);
  while (static_cast<Index>(stage.thresholds.size()) < steps) {
    stage.thresholds.push_back(std::min(compare.ceiling, test.random.uniform(0.01, 2)));
  }
  test.describe(steps, " thresholds from ", stage.thresholds.front());
  const Proposals<Scalar> found = stage(similarities);
  const auto expected = plain::merge(maps.rows().template cast<double>(),
                                     close_maps(similarities, stage.thresholds.front()),
                                     stage.thresholds, both<Scalar>);
  if (expected.undecided) return test.undecided();
  test.holds("proposals after each iteration", 0, found.per_iteration == expected.per_iteration);
  test.holds("anchors", 0, found.anchors == expected.anchors);
  test.holds("row counts", 0, found.row_counts == expected.row_counts);
  test.same("proposals", 0, found.rows.rows(), expected.rows.rows());
  for (Index i = 0; i < found.rows.size(); ++i) {
    const double value = expected.rows.data()[i];
    test.within("a proposal", i, static_cast<double>(found.rows.data()[i]), value,
                both<Scalar> * expected.relative * value);
  }
}

/// What a threshold gives, told from the proposals of Merge.
template <class Scalar>
plain::Told told_of(const Similarities<Scalar>& similarities, const Sweep& sweep,
                    double threshold) {
  const Proposals<Scalar> proposals = sweep.merge(threshold)(similarities);
  return plain::told(similarities.maps.rows().template cast<double>(),
                     plain::partition(proposals.rows.template cast<double>()));
}

template <class Scalar>
void compare_point(Case& test, Index place, const SweepPoint& point, const plain::Told& expected,
                   double lambda) {
  test.within("entropy", place, point.entropy, expected.entropy, 1e-12);
  const double error = both<Scalar> * expected.error;
  if (expected.cells <= 100 * error) return test.undecided();  // the maps tell nothing
  const double share = expected.information / expected.cells;
  const double bound = 2.1 * error / expected.cells;
  test.within("information", place, point.information, std::clamp(share, 0.0, 1.0), bound);
  test.within("score", place, point.score, point.information - lambda * point.entropy, 1e-12);
}

template <class Scalar>
void run_sweep(Case& test) {
  const auto maps = random_maps<Scalar>(test, 100);
  const Compare compare = random_compare<Scalar>(test, maps.grid());
  const Similarities<Scalar> similarities = compare(maps);
  Sweep stage;
  stage.iterations = test.random.integer(1, 4);
  stage.lambda = test.random.uniform(0, 1);
  const Index count = test.random.integer(1, 6);
  while (static_cast<Index>(stage.thresholds.size()) < count) {
    stage.thresholds.push_back(std::min(compare.ceiling, test.random.uniform(0.01, 2)));
  }
  const auto points = stage(similarities);
  test.same("points", 0, points.size(), stage.thresholds.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto place = static_cast<Index>(i);
    const auto expected = told_of(similarities, stage, stage.thresholds[i]);
    test.same("threshold", place, points[i].threshold, stage.thresholds[i]);
    test.same("segments", place, points[i].segments, expected.segments);
    compare_point<Scalar>(test, place, points[i], expected, stage.lambda);
  }
}

/// The best score of all candidates.
template <class Scalar>
void compare_best(Case& test, const Similarities<Scalar>& similarities, const Choose& stage,
                  const SweepPoint& found) {
  const Sweep sweep = stage.sweep(similarities.ceiling);
  double best = -std::numeric_limits<double>::infinity();
  double own = best;
  double error = 0;
  for (const double threshold : sweep.thresholds) {
    const auto told = told_of(similarities, sweep, threshold);
    const double share = told.cells > 0 ? std::clamp(told.information / told.cells, 0.0, 1.0) : 0.0;
    const double score = share - stage.lambda * told.entropy;
    if (told.cells <= 100 * both<Scalar> * told.error) return test.undecided();
    error = std::max(error, 2.1 * both<Scalar> * told.error / told.cells + 1e-12);
    best = std::max(best, score);
    if (threshold == found.threshold) own = score;
  }
  test.within("the best score", 0, own, best, 2 * error);
}

template <class Scalar>
void run_choose(Case& test) {
  const auto maps = random_maps<Scalar>(test, 64);
  const Compare compare = random_compare<Scalar>(test, maps.grid());
  const Similarities<Scalar> similarities = compare(maps);
  Choose stage;
  stage.iterations = test.random.integer(1, 3);
  stage.lambda = test.random.uniform(0, 1);
  stage.segments = test.chance(0.5) ? test.random.integer(1, 12) : 0;
  test.describe("segments ", stage.segments);
  const SweepPoint found = stage(similarities);
  const Sweep sweep = stage.sweep(compare.ceiling);
  const auto expected = told_of(similarities, sweep, found.threshold);
  test.same("segments", 0, found.segments, expected.segments);
  compare_point<Scalar>(test, 0, found, expected, stage.lambda);
  if (stage.segments == 0) return compare_best(test, similarities, stage, found);
  // No threshold that is tried for sure is nearer.
  const Index at_most = told_of(similarities, sweep, compare.ceiling).segments;
  test.holds("the nearest number of segments", 0,
             std::abs(found.segments - stage.segments) <= std::abs(at_most - stage.segments));
}

template <class Scalar>
Proposals<Scalar> random_proposals(Case& test, const Maps<Scalar>& maps) {
  const Index count = test.random.integer(1, std::min<Index>(8, maps.tokens()));
  Proposals<Scalar> proposals;
  proposals.maps = maps;
  proposals.rows.resize(count, maps.tokens());
  for (Index k = 0; k < count; ++k) {
    const auto row = test.random.integer(0, maps.tokens() - 1);
    const auto other = test.random.integer(0, maps.tokens() - 1);
    proposals.rows.row(k) = (maps.rows().row(row) + maps.rows().row(other)) / 2;
    proposals.anchors.push_back({k, k + 5});
    proposals.row_counts.push_back(2);
  }
  proposals.per_iteration = {count};
  test.describe(count, " proposals");
  return proposals;
}

template <class Scalar>
void run_refine(Case& test) {
  const auto maps = random_maps<Scalar>(test, 100);
  const auto proposals = random_proposals(test, maps);
  Refine stage;
  stage.max_iterations = test.any<Index>({1, 2, 300});
  stage.tolerance = test.any({0.0, 1e-4, 1e-2});
  const Matrix<double> rows = maps.rows().template cast<double>();
  plain::Lloyd lloyd(rows, stage.tolerance, stage.max_iterations, both<Scalar>);
  const auto expected = lloyd.run(proposals.rows.template cast<double>());
  const Proposals<Scalar> found = stage(proposals);
  const auto clusters = stage.cluster(proposals);
  RefineProjected whole;
  whole.components = maps.tokens();
  whole.max_iterations = stage.max_iterations;
  whole.tolerance = stage.tolerance;
  test.holds("RefineProjected with all components", 0, whole(proposals).rows == found.rows);
  if (expected.undecided) return test.undecided();
  plain::Sets sets(static_cast<std::size_t>(proposals.rows.rows()));
  for (Index row = 0; row < maps.tokens(); ++row) {
    const Index label = expected.labels[static_cast<std::size_t>(row)];
    test.same("the cluster of a map", row, Index{clusters.labels[static_cast<std::size_t>(row)]},
              label);
    sets[static_cast<std::size_t>(label)].push_back(row);
  }
  test.same("passes", 0, clusters.iterations, expected.iterations);
  test.holds("clusters begun anew", 0, clusters.reseeded == expected.reseeded);
  std::vector<std::vector<Index>> anchors;
  plain::Sets filled;
  for (std::size_t k = 0; k < sets.size(); ++k) {
    if (sets[k].empty()) continue;
    const bool anew =
        std::count(expected.reseeded.begin(), expected.reseeded.end(), static_cast<Index>(k)) > 0;
    anchors.push_back(anew ? std::vector<Index>{} : proposals.anchors[k]);
    filled.push_back(sets[k]);
  }
  test.holds("anchors", 0, found.anchors == anchors);
  const Matrix<double> means = plain::means(rows, filled);
  test.same("clusters", 0, found.rows.rows(), means.rows());
  for (Index i = 0; i < means.size(); ++i) {
    const double value = means.data()[i];
    test.within("a mean", i, static_cast<double>(found.rows.data()[i]), value,
                both<Scalar> * static_cast<double>(maps.tokens() + 2) * value);
  }
}

/// Along fewer directions there is no plain answer; what it says of itself must hold.
template <class Scalar>
void run_projected(Case& test) {
  const auto maps = random_maps<Scalar>(test, 100);
  const auto proposals = random_proposals(test, maps);
  RefineProjected stage;
  stage.components = test.random.integer(1, 8);
  stage.mode = test.any({RefineProjected::Mode::passes, RefineProjected::Mode::minibatch});
  stage.batch = test.random.integer(1, 64);
  test.describe("components ", stage.components, ", batch ", stage.batch);
  const Proposals<Scalar> found = stage(proposals);
  const auto clusters = stage.cluster(proposals);
  plain::Sets sets(static_cast<std::size_t>(proposals.rows.rows()));
  for (Index row = 0; row < maps.tokens(); ++row) {
    sets[static_cast<std::size_t>(clusters.labels[static_cast<std::size_t>(row)])].push_back(row);
  }
  sets.erase(std::remove_if(sets.begin(), sets.end(), [](const auto& set) { return set.empty(); }),
             sets.end());
  const Matrix<double> means = plain::means(maps.rows().template cast<double>(), sets);
  test.same("clusters", 0, found.rows.rows(), means.rows());
  for (Index i = 0; i < means.size(); ++i) {
    const double value = means.data()[i];
    test.within("a mean", i, static_cast<double>(found.rows.data()[i]), value,
                both<Scalar> * static_cast<double>(maps.tokens() + 2) * value);
  }
}

}  // namespace

std::vector<Stage> merge_stages() {
  return {
      {"compare", "the first order of the worst rounding of each sum (plain/merge.hpp)",
       either<run_compare<float>, run_compare<double>>},
      {"merge", "(rows + 2) epsilon for every mean on the way; undecided cases are left out",
       either<run_merge<float>, run_merge<double>>},
      {"sweep", "first order of the sums, as shares of I(X; Y)",
       either<run_sweep<float>, run_sweep<double>>},
      {"choose", "as sweep; the score that is chosen is the best up to that",
       either<run_choose<float>, run_choose<double>>},
      {"refine", "(maps + 2) epsilon; the same clusters; undecided cases are left out",
       either<run_refine<float>, run_refine<double>>},
      {"refine_projected", "(maps + 2) epsilon: the means of the clusters that it tells",
       either<run_projected<float>, run_projected<double>>},
  };
}

}  // namespace trust
