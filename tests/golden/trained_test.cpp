// SPDX-License-Identifier: MIT
// Attention of a trained vision transformer against the answers of an independent program in numpy
// (tests/support/trained_answers.py), in every kind and precision that it can be given.
#include <diffseg/data/layer_tokens.hpp>
#include <diffseg/diffseg.hpp>
#include <diffseg/io/npz.hpp>

#include <cmath>
#include <iostream>
#include <sstream>

#include "support/catch.hpp"
#include "support/golden.hpp"

namespace {

using namespace diffseg;

/// A folder of tests/files/trained: what to do, and what comes of it.
struct Trained {
  std::filesystem::path folder;
  GridSize grid, anchors, label_size;
  SkipTokens skip;
  double floor = 0;
  bool published = false;
  std::vector<double> thresholds;
  std::vector<Index> map_rows, divergence_rows;
  std::vector<Index> anchor_cells, per_iteration;
  Index matched_pairs = 0;

  [[nodiscard]] Tensor read(const char* array) const {
    return read_npy(folder / (std::string(array) + ".npy"));
  }
  [[nodiscard]] Matrix<double> matrix(const char* array) const {
    const auto file = read(array);
    const auto values = file.as<double>();
    return Eigen::Map<const Matrix<double>>(values.data(), file.shape.at(0), file.shape.at(1));
  }
};

Trained load(const char* name) {
  Trained test;
  test.folder = std::filesystem::path(DIFFSEG_TRAINED_DIR) / name;
  const auto parse = [&](const char* file) {
    std::ifstream text(test.folder / file);
    return nlohmann::json::parse(text);
  };
  const auto json = parse("case.json");
  const auto size = [&](const char* field) {
    return GridSize{json.at(field).at(0).get<Index>(), json.at(field).at(1).get<Index>()};
  };
  test.grid = size("grid");
  test.anchors = size("anchors");
  test.label_size = size("label_size");
  test.skip.first = json.at("skip_first").get<Index>();
  test.floor = json.at("floor").get<double>();
  test.published = json.at("placement") == "published";
  json.at("thresholds").get_to(test.thresholds);
  json.at("map_rows").get_to(test.map_rows);
  json.at("divergence_rows").get_to(test.divergence_rows);
  const auto answers = parse("answers.json");
  answers.at("anchors").get_to(test.anchor_cells);
  answers.at("proposals_per_iteration").get_to(test.per_iteration);
  answers.at("matched_pairs").get_to(test.matched_pairs);
  return test;
}

/// Chelsea: the mean of all heads as it lies in the file, or as Element.
template <class Element>
Layer head_mean(const Trained& test) {
  const Tensor file = test.read("mean");
  return Layer::owning(file.as<Element>(), file.shape.at(0), test.grid);
}

/// Coffee: queries and keys of all tokens as Element; the class token is skipped.
template <class Element>
Layer queries_keys(const Trained& test) {
  const NpzFile file(test.folder / "attention.npz");
  const Tensor query = file.read("query");
  using Numbers = std::pair<std::vector<Element>, std::vector<Element>>;
  const auto kept =
      std::make_shared<const Numbers>(query.as<Element>(), file.read("key").as<Element>());
  Layer layer = Layer::queries_and_keys(kept->first.data(), kept->second.data(), query.shape.at(0),
                                        query.shape.at(2), {1, query.shape.at(1)});
  layer.owner = kept;
  return skip_tokens(layer, test.skip, test.grid);
}

/// The same as the scores between all tokens, or as what the soft-max makes of them; in double,
/// stored as Element.
template <class Element>
Layer all_tokens(const Trained& test, bool soft_max) {
  const NpzFile file(test.folder / "attention.npz");
  const Tensor query = file.read("query");
  const Index heads = query.shape.at(0), tokens = query.shape.at(1), depth = query.shape.at(2);
  const auto q = query.as<double>();
  const auto k = file.read("key").as<double>();
  std::vector<Element> values;
  values.reserve(static_cast<std::size_t>(heads * tokens * tokens));
  for (Index head = 0; head < heads; ++head) {
    using Map = Eigen::Map<const Matrix<double>>;
    const Map queries(q.data() + head * tokens * depth, tokens, depth);
    const Map keys(k.data() + head * tokens * depth, tokens, depth);
    Matrix<double> rows = queries * keys.transpose() / std::sqrt(static_cast<double>(depth));
    if (soft_max) {
      rows = rows.array().exp();
      rows.array().colwise() /= rows.rowwise().sum().array().eval();
    }
    for (Index i = 0; i < rows.size(); ++i) values.push_back(static_cast<Element>(rows.data()[i]));
  }
  Layer layer = Layer::owning(std::move(values), heads, {1, tokens});
  if (!soft_max) layer.kind = LayerKind::scores;
  return skip_tokens(layer, test.skip, test.grid);
}

template <class Scalar>
struct Answers {
  Maps<Scalar> maps;
  Similarities<Scalar> similarities;
  Proposals<Scalar> proposals;
  Labels labels;
};

/// DiffSeg with the settings of `test`; keeps all divergences.
template <class Scalar>
Answers<Scalar> answer(const Trained& test, const Layer& layer) {
  Answers<Scalar> found;
  Aggregate{.floor = test.floor}(Layers{layer}, found.maps);
  const auto placement =
      test.published ? Compare::Placement::published : Compare::Placement::cell_centred;
  found.similarities =
      Compare{.anchors = test.anchors, .placement = placement, .ceiling = 1e30}(found.maps);
  found.proposals = Merge{.thresholds = test.thresholds}(found.similarities);
  found.labels = Assign{.size = test.label_size, .ids = Assign::Ids::reference}(found.proposals);
  return found;
}

/// The largest difference of row(i) from the expected ones, beyond what storing them has rounded.
template <class Row>
double largest_difference(const Matrix<double>& expected, const Row& row, double rounded = 6e-8) {
  double largest = 0;
  for (Index i = 0; i < expected.rows(); ++i) {
    const Eigen::RowVectorXd difference = row(i) - expected.row(i);
    const auto excess = difference.cwiseAbs() - rounded * expected.row(i).cwiseAbs();
    largest = std::max(largest, excess.maxCoeff());
  }
  return largest;
}

/// Of each map: sum of p ln p, mean row and column, largest number.
template <class Scalar>
Matrix<double> checks_of(const Maps<Scalar>& maps) {
  const Matrix<double> rows = maps.rows().template cast<double>();
  Matrix<double> checks(rows.rows(), 4);
  Matrix<double> places(rows.cols(), 2);
  for (Index i = 0; i < rows.cols(); ++i) {
    places(i, 0) = static_cast<double>(i / maps.grid().width);
    places(i, 1) = static_cast<double>(i % maps.grid().width);
  }
  checks.col(0) = (rows.array() * rows.array().log()).rowwise().sum();
  checks.middleCols(1, 2) = rows * places;
  checks.col(3) = rows.rowwise().maxCoeff();
  return checks;
}

/// How far an answer may be from that in double; a mean number of a map is 1 / 600.
struct Bounds {
  double maps, checks, divergences, proposals;
  bool all_pairs;  ///< as many pairs match
};
constexpr Bounds exact = {1e-12, 1e-11, 1e-11, 1e-12, true};  // numbers as in the file
constexpr Bounds single = {5e-7, 5e-5, 1e-5, 2e-7, false};    // rounded to float on the way
constexpr Bounds rounded = {5e-5, 1e-3, 5e-4, 1e-5, false};   // attention rounded to half

template <class Scalar>
double agreement(const Trained& test, const Answers<Scalar>& found) {
  const auto expected = test.read("labels").as<int>();
  REQUIRE(found.labels.values.size() == expected.size());
  Index equal = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) equal += found.labels.values[i] == expected[i];
  return static_cast<double>(equal) / static_cast<double>(expected.size());
}

template <class Scalar>
void check(const char* name, const char* kind, const Layer& layer, const Bounds& bounds) {
  const Trained test = load(name);
  const Answers<Scalar> found = answer<Scalar>(test, layer);
  CAPTURE(name, kind, sizeof(Scalar));
  REQUIRE(found.similarities.anchors == test.anchor_cells);
  REQUIRE(found.proposals.per_iteration == test.per_iteration);
  const auto row_of = [](const auto& matrix, Index i) {
    return Eigen::RowVectorXd(matrix.row(i).template cast<double>());
  };
  const double maps = largest_difference(test.matrix("map_rows"), [&](Index i) {
    return row_of(found.maps.rows(), test.map_rows[static_cast<std::size_t>(i)]);
  });
  const Matrix<double> sums = checks_of(found.maps);
  const double checks = largest_difference(
      test.matrix("map_checks"), [&](Index i) { return row_of(sums, i); }, 0);
  const Matrix<Scalar> all(found.similarities.divergences);
  const double divergences = largest_difference(test.matrix("divergence_rows"), [&](Index i) {
    return row_of(all, test.divergence_rows[static_cast<std::size_t>(i)]);
  });
  const double proposals = largest_difference(
      test.matrix("proposals"), [&](Index i) { return row_of(found.proposals.rows, i); });
  const auto threshold = static_cast<Scalar>(test.thresholds.front());
  const auto pairs = (all.array() < threshold).count();
  const double labels = agreement(test, found);
  std::ostringstream line;
  line << "golden trained " << name << ' ' << kind << (sizeof(Scalar) == 4 ? " float" : " double")
       << ": maps " << maps << ", checks " << checks << ", divergence " << divergences
       << ", matched " << pairs << '/' << test.matched_pairs << ", proposals " << proposals
       << ", labels " << 100 * labels << " %";
  std::cout << line.str() << std::endl;
  CHECK(maps <= bounds.maps);
  CHECK(checks <= bounds.checks);
  CHECK(divergences <= bounds.divergences);
  CHECK(proposals <= bounds.proposals);
  CHECK(labels >= 0.999);
  if (bounds.all_pairs) CHECK(pairs == test.matched_pairs);
}

/// In both scalars; in double as close as `input` lets it be.
void check_both(const char* name, const char* kind, const Layer& layer, const Bounds& input) {
  check<double>(name, kind, layer, input);
  check<float>(name, kind, layer, input.maps > single.maps ? input : single);
}

}  // namespace

TEST_CASE("golden: trained attention as a head mean has the answers of numpy", "[golden]") {
  const Trained test = load("chelsea");
  check_both("chelsea", "mean f16", head_mean<Eigen::half>(test), exact);
  check_both("chelsea", "mean f32", head_mean<float>(test), exact);
}

TEST_CASE("golden: trained queries and keys without the class token have the answers of numpy",
          "[golden]") {
  const Trained test = load("coffee");
  check_both("coffee", "queries and keys f16", queries_keys<Eigen::half>(test), exact);
  check_both("coffee", "queries and keys f32", queries_keys<float>(test), exact);
}

TEST_CASE("golden: the same as probabilities and scores with the class token has the same answers",
          "[golden]") {
  const Trained test = load("coffee");
  check_both("coffee", "probabilities f64", all_tokens<double>(test, true), exact);
  check_both("coffee", "probabilities f32", all_tokens<float>(test, true), single);
  check_both("coffee", "probabilities f16", all_tokens<Eigen::half>(test, true), rounded);
  check_both("coffee", "scores f32", all_tokens<float>(test, false), single);
}

TEST_CASE("golden: another floor or threshold or order or token is not the trained answer",
          "[golden]") {
  const Trained test = load("coffee");
  const auto share = [&](const Trained& changed, const Layer& layer) {
    return agreement(test, answer<double>(changed, layer));
  };
  const Layer layer = queries_keys<float>(test);
  REQUIRE(share(test, layer) >= 0.999);
  Trained floor = test;
  floor.floor /= 3;
  CHECK(share(floor, layer) < 0.98);
  Trained threshold = test;
  for (double& tau : threshold.thresholds) tau *= 1.02;
  CHECK(share(threshold, layer) < 0.98);
  Trained token = test;
  token.skip = {.last = 1};  // the class token becomes the first cell
  CHECK(share(test, queries_keys<float>(token)) < 0.98);

  auto backwards = answer<double>(test, layer);
  auto& similarities = backwards.similarities;
  const Matrix<double> all(similarities.divergences);
  similarities.divergences = Matrix<double>(all.colwise().reverse()).sparseView(1, -1);
  std::reverse(similarities.anchors.begin(), similarities.anchors.end());
  const auto proposals = Merge{.thresholds = test.thresholds}(similarities);
  backwards.labels = Assign{.size = test.label_size, .ids = Assign::Ids::reference}(proposals);
  CHECK(agreement(test, backwards) < 0.98);
}
