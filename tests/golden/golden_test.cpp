// SPDX-License-Identifier: MIT
// The published segmentor's answers, and the laws of exactness on the same numbers. Every folder
// with a case.json is a case; what it holds decides what is compared.
#include <diffseg/diffseg.hpp>

#include <bit>
#include <cmath>
#include <iostream>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/same.hpp"

namespace {

using diffseg::Aggregate;
using diffseg::Assign;
using diffseg::Compare;
using diffseg::GridSize;
using diffseg::Index;
using diffseg::Labels;
using diffseg::Maps;
using diffseg::Matrix;
using diffseg::Merge;
using diffseg::Proposals;
using diffseg::Refine;
using diffseg::Similarities;
using golden::Case;
using support::same_bits;

/// What a Scalar may differ from the stored numbers, which are rounded to float.
struct Tolerance {
  double rows;        ///< absolute
  double rows_share;  ///< of the stored number, on top
  double divergence;  ///< absolute, for divergences below `compared_below`
};
template <class Scalar>
constexpr Tolerance tolerance = sizeof(Scalar) == 4 ? Tolerance{1e-6, 0.0, 2e-4}
                                                    : Tolerance{1e-12, 6e-8, 1e-7};
constexpr double compared_below = 2.0;

std::vector<Case> all_cases() {
  auto cases = golden::load_all(DIFFSEG_GOLDEN_DIR);
  if (cases.empty()) FAIL("no golden case: no folder with a case.json");
  return cases;
}

Compare compare(const Case& test, double ceiling) {
  return {.anchors = {test.points, test.points},
          .placement = Compare::Placement::published,
          .ceiling = ceiling};
}

template <class Scalar>
Maps<Scalar> aggregate(const Case& test) {
  Maps<Scalar> maps;
  Aggregate{.weights = test.weights}(golden::layers<Scalar>(test), maps);
  return maps;
}

template <class Scalar>
struct Run {
  Maps<Scalar> maps;
  Similarities<Scalar> similarities;
  Proposals<Scalar> proposals;
  Labels labels;
};

template <class Scalar>
Run<Scalar> run(const Case& test, const Maps<Scalar>& maps, double ceiling, GridSize size) {
  Run<Scalar> result;
  result.maps = maps;
  result.similarities = compare(test, ceiling)(maps);
  result.proposals = Merge{.thresholds = test.thresholds}(result.similarities);
  result.labels = Assign{.size = size, .ids = Assign::Ids::reference}(result.proposals);
  return result;
}

/// Keeps all divergences that are compared and all that decide.
double wide_ceiling(const Case& test) {
  return std::max(compared_below, test.thresholds[0]);
}

GridSize label_size(const Case& test) {
  const auto shape = test.read("labels").shape;
  return {shape.at(0), shape.at(1)};
}

/// Largest difference; `excess` is how far the worst number is beyond its tolerance, <= 0 is well.
struct Difference {
  double largest = 0;
  double excess = -1;
  Index count = 0;

  void add(double value, double expected, double allowed) {
    const double difference = std::abs(value - expected);
    largest = std::max(largest, difference);
    excess = std::max(excess, difference - allowed);
    ++count;
  }
};

template <class Scalar>
Difference difference_of_rows(const Matrix<Scalar>& rows, const std::vector<Index>& ids,
                              const Matrix<double>& expected) {
  Difference result;
  for (Index row = 0; row < expected.rows(); ++row) {
    for (Index i = 0; i < expected.cols(); ++i) {
      const double stored = expected(row, i);
      result.add(static_cast<double>(rows(ids[static_cast<std::size_t>(row)], i)), stored,
                 tolerance<Scalar>.rows + tolerance<Scalar>.rows_share * stored);
    }
  }
  return result;
}

/// [T] maps that hold a number at Aggregate's floor, where the published answers have a smaller
/// one: its logarithm, and so the map's divergences, are others.
template <class Scalar>
std::vector<bool> floored(const Maps<Scalar>& maps) {
  const auto floor = static_cast<Scalar>(1.001 * Aggregate{}.floor);
  std::vector<bool> result;
  for (Index token = 0; token < maps.tokens(); ++token) {
    result.push_back(maps.rows().row(token).minCoeff() <= floor);
  }
  return result;
}

/// Stored pairs below `compared_below`; one that the comparison lost counts as infinitely wrong.
template <class Scalar>
Difference difference_of_divergences(const Case& test, const Similarities<Scalar>& similarities) {
  Difference result;
  if (!test.has("divergence_rows")) return result;
  const auto expected = test.matrix("divergence_rows");
  const auto anchors = test.indices("divergence_row_ids");
  const auto at_floor = floored(similarities.maps);
  for (Index row = 0; row < expected.rows(); ++row) {
    std::vector<double> found(static_cast<std::size_t>(expected.cols()), INFINITY);
    using Entry = typename Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int>::InnerIterator;
    const Index anchor = anchors[static_cast<std::size_t>(row)];
    for (Entry entry(similarities.divergences, anchor); entry; ++entry) {
      found[static_cast<std::size_t>(entry.col())] = static_cast<double>(entry.value());
    }
    const Index token = similarities.anchors[static_cast<std::size_t>(anchor)];
    for (Index i = 0; i < expected.cols(); ++i) {
      const bool other_floor =
          at_floor[static_cast<std::size_t>(token)] || at_floor[static_cast<std::size_t>(i)];
      const double allowed =
          other_floor ? tolerance<float>.divergence : tolerance<Scalar>.divergence;
      if (expected(row, i) >= compared_below - allowed) continue;
      result.add(found[static_cast<std::size_t>(i)], expected(row, i), allowed);
    }
  }
  return result;
}

template <class Scalar>
Index pairs_below(const Similarities<Scalar>& similarities, double threshold) {
  const auto* const values = similarities.divergences.valuePtr();
  return std::count_if(values, values + similarities.divergences.nonZeros(),
                       [&](Scalar value) { return static_cast<double>(value) < threshold; });
}

double share_of_equal_labels(const Labels& labels, const std::vector<int>& expected) {
  Index equal = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) equal += labels.values[i] == expected[i];
  return static_cast<double>(equal) / static_cast<double>(expected.size());
}

std::vector<Index> counting(Index count) {
  std::vector<Index> numbers(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<Index>(i);
  return numbers;
}

template <class Scalar>
void check_labels(const Case& test, const Labels& labels, std::ostream& line) {
  const auto expected = test.read("labels").as<int>();
  REQUIRE(labels.values.size() == expected.size());
  const double share = share_of_equal_labels(labels, expected);
  line << "labels " << (test.refine ? "refined " : "") << 100 * share << " %";
  CHECK(share >= (test.refine ? 0.995 : 0.999));
}

/// Everything the case holds against the public interface; one printed line.
template <class Scalar>
void check_parity(const Case& test, const char* precision) {
  std::ostringstream line;
  line << "golden " << test.name << ' ' << precision << ": ";
  const Run<Scalar> result =
      run<Scalar>(test, aggregate<Scalar>(test), wide_ceiling(test), label_size(test));

  const auto rows = difference_of_rows<Scalar>(
      result.maps.rows(), test.indices("aggregate_row_ids"), test.matrix("aggregate_rows"));
  line << "rows " << rows.largest << ", ";
  CHECK(rows.excess <= 0);
  CHECK(result.similarities.anchors == test.anchors);

  const auto divergences = difference_of_divergences(test, result.similarities);
  if (divergences.count == 0) line << "divergence not stored, ";
  if (divergences.count > 0) {
    line << "divergence " << divergences.largest << " (" << divergences.count << " pairs), ";
  }
  CHECK(divergences.excess <= 0);

  const Index pairs = pairs_below(result.similarities, test.thresholds[0]);
  line << "matched " << pairs << '/' << test.matched_pairs << ", proposals";
  if (sizeof(Scalar) == 8) CHECK(pairs == test.matched_pairs);
  for (const Index count : result.proposals.per_iteration) line << ' ' << count;
  REQUIRE(result.proposals.per_iteration == test.per_iteration);

  const auto expected = test.matrix("proposals");
  REQUIRE(result.proposals.rows.rows() == expected.rows());
  const auto merged =
      difference_of_rows<Scalar>(result.proposals.rows, counting(expected.rows()), expected);
  line << ", their rows " << merged.largest << ", ";
  CHECK(merged.excess <= 0);
  if (test.refine) {
    const auto refined = Refine{}(result.proposals);
    const Assign assign{.size = label_size(test), .ids = Assign::Ids::reference};
    check_labels<Scalar>(test, assign(refined), line);
  } else {
    check_labels<Scalar>(test, result.labels, line);
  }
  std::cout << line.str() << std::endl;
}

/// Also the pattern: the same pairs, in the same places.
template <class Scalar>
bool same_bits(const Similarities<Scalar>& a, const Similarities<Scalar>& b) {
  const auto& left = a.divergences;
  const auto& right = b.divergences;
  return left.rows() == right.rows() && left.nonZeros() == right.nonZeros() &&
         same_bits(left.outerIndexPtr(), right.outerIndexPtr(), left.rows() + 1) &&
         same_bits(left.innerIndexPtr(), right.innerIndexPtr(), left.nonZeros()) &&
         same_bits(left.valuePtr(), right.valuePtr(), left.nonZeros());
}

/// The part of `all` below `ceiling`.
template <class Scalar>
Similarities<Scalar> below(const Similarities<Scalar>& all, double ceiling) {
  Similarities<Scalar> result = all;
  result.divergences.prune(
      [&](Index, Index, Scalar value) { return static_cast<double>(value) < ceiling; });
  result.divergences.makeCompressed();
  return result;
}

/// All divergences in double as two matrix products: shares no code with Compare.
template <class Scalar>
Matrix<double> divergences_by_products(const Maps<Scalar>& maps,
                                       const std::vector<Index>& anchors) {
  const Matrix<double> p = maps.rows().template cast<double>();
  const Matrix<double> logs = p.array().log();
  const Matrix<double> q = p(anchors, Eigen::all);
  const Matrix<double> anchor_logs = logs(anchors, Eigen::all);
  const Eigen::VectorXd entropy = (p.array() * logs.array()).rowwise().sum();
  Matrix<double> twice = -q * logs.transpose() - anchor_logs * p.transpose();
  twice.rowwise() += entropy.transpose();
  twice.colwise() += Eigen::VectorXd(entropy(anchors));
  return twice / 2;
}

/// Compare with its filter = the same kernel on every pair = plain products up to rounding.
template <class Scalar>
void check_filter(const Case& test, const char* precision) {
  const auto maps = aggregate<Scalar>(test);
  const auto everything = compare(test, 1e30)(maps);
  const Index pairs = everything.divergences.rows() * maps.tokens();
  REQUIRE(everything.divergences.nonZeros() == pairs);
  REQUIRE(everything.evaluated == pairs);
  for (const double ceiling : {0.3, test.thresholds[0], compared_below}) {
    CAPTURE(ceiling);
    const auto filtered = compare(test, ceiling)(maps);
    CHECK(same_bits(filtered, below(everything, ceiling)));
    CHECK(filtered.evaluated < pairs);
  }
  const auto exact = divergences_by_products(maps, everything.anchors);
  const Matrix<double> found = Matrix<Scalar>(everything.divergences).template cast<double>();
  const double error = ((found - exact).array().abs() / exact.array().max(1)).maxCoeff();
  std::cout << "golden " << test.name << ' ' << precision << ": divergence of all " << pairs
            << " pairs against products in double " << error << std::endl;
  CHECK(error <= tolerance<Scalar>.divergence);
}

/// One thread gives the bits of any other number, from layers to labels.
template <class Scalar>
void check_threads(const Case& test, const std::vector<int>& limits) {
  const auto layers = golden::layers<Scalar>(test);
  const auto run_with = [&](int threads) {
    const diffseg::ThreadLimit limit(threads);
    Maps<Scalar> maps;
    Aggregate{.weights = test.weights}(layers, maps);
    return run<Scalar>(test, maps, test.thresholds[0], {96, 150});
  };
  const auto one = run_with(1);
  for (const int threads : limits) {
    CAPTURE(threads);
    const auto many = run_with(threads);
    CHECK(same_bits(one.maps.rows(), many.maps.rows()));
    CHECK(same_bits(one.similarities, many.similarities));
    CHECK(same_bits(one.proposals.rows, many.proposals.rows));
    CHECK(one.proposals.anchors == many.proposals.anchors);
    CHECK(one.proposals.row_counts == many.proposals.row_counts);
    CHECK(one.labels.values == many.labels.values);
  }
}

/// Makes zeros of subnormal numbers; returns their share of all.
double flush_by_hand(std::vector<float>& values) {
  double found = 0;
  for (float& value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7f800000U) != 0 || bits == 0) continue;
    value = 0;
    ++found;
  }
  return found / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("golden: soft-max leaves subnormal numbers that maps do not see", "[golden]") {
  for (const Case& test : all_cases()) {
    CAPTURE(test.name);
    const auto layers = golden::layers<float>(test);
    diffseg::Layers flushed;
    double most = 0;
    for (const diffseg::Layer& layer : layers) {
      const auto* from = static_cast<const float*>(layer.data);
      std::vector<float> values(from, from + layer.heads * layer.head_step());
      most = std::max(most, flush_by_hand(values));
      flushed.push_back(diffseg::Layer::owning(std::move(values), layer.heads, layer.queries));
    }
    std::cout << "golden " << test.name << ": share of subnormal numbers " << most << std::endl;
    CHECK(most > 1e-4);
    const Aggregate aggregate{.weights = test.weights};
    CHECK(same_bits(aggregate(layers).rows(), aggregate(flushed).rows()));
  }
}

TEST_CASE("golden: float agrees with the published answers", "[golden]") {
  for (const Case& test : all_cases()) {
    CAPTURE(test.name);
    check_parity<float>(test, "float");
  }
}

TEST_CASE("golden: double agrees with the published answers", "[golden]") {
  for (const Case& test : all_cases()) {
    CAPTURE(test.name);
    check_parity<double>(test, "double");
  }
}

TEST_CASE("golden: the filter loses no pair and changes no bit", "[golden][law][long]") {
  for (const Case& test : all_cases()) {
    CAPTURE(test.name);
    check_filter<float>(test, "float");
    check_filter<double>(test, "double");
  }
}

TEST_CASE("golden: any number of threads gives the same bits", "[golden][law][long]") {
#ifdef _OPENMP
  omp_set_num_threads(8);  // more than small machines have, so that the limits below are real
#endif
  for (const Case& test : all_cases()) {
    CAPTURE(test.name);
    check_threads<float>(test, {2, 3, 4, 8});
    check_threads<double>(test, {3, 8});
  }
}

TEST_CASE("golden: segment is its stages and a ceiling decides nothing", "[golden][law]") {
  for (const Case& test : all_cases()) {
    CAPTURE(test.name);
    const GridSize size = label_size(test);
    const auto layers = golden::layers<float>(test);
    Maps<float> maps;
    Aggregate{.weights = test.weights}(layers, maps);
    const auto stages = run<float>(test, maps, wide_ceiling(test), size);
    const auto narrow =
        Merge{.thresholds = test.thresholds}(compare(test, test.thresholds[0])(maps));
    CHECK(same_bits(narrow.rows, stages.proposals.rows));
    CHECK(narrow.row_counts == stages.proposals.row_counts);
    const Labels labels =
        diffseg::segment(layers, {.aggregate = {.weights = test.weights},
                                  .compare = {.anchors = {test.points, test.points},
                                              .placement = Compare::Placement::published},
                                  .merge = {.thresholds = test.thresholds},
                                  .assign = {.size = size, .ids = Assign::Ids::reference}});
    CHECK(labels.values == stages.labels.values);
  }
}
