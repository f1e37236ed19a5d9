// SPDX-License-Identifier: MIT
// Golden cases: folders of numbers that the published segmentor computed, described by case.json.
#pragma once

#include <cstdlib>
#include <diffseg/core/parallel.hpp>
#include <diffseg/data/layer.hpp>
#include <diffseg/io/npy.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "subnormals.hpp"

namespace golden {

using diffseg::GridSize;
using diffseg::Index;
using diffseg::Matrix;

/// What case.json says, and the arrays beside it.
struct Case {
  std::filesystem::path folder;
  std::string name;
  std::vector<Index> sizes;  ///< side of each layer
  Index heads = 0;
  Index points = 0;  ///< anchors per side
  std::vector<double> thresholds;
  std::vector<double> weights;  ///< of the layers; none: the default
  bool refine = false;          ///< the labels come after a refinement, the proposals before
  std::vector<Index> anchors;   ///< [points * points] token indices
  Index matched_pairs = 0;      ///< of iteration 0
  std::vector<Index> per_iteration;

  [[nodiscard]] GridSize grid() const {
    const Index side = *std::max_element(sizes.begin(), sizes.end());
    return {side, side};
  }
  [[nodiscard]] bool has(const std::string& array) const {
    return std::filesystem::exists(folder / (array + ".npy"));
  }
  [[nodiscard]] diffseg::Tensor read(const std::string& array) const {
    return diffseg::read_npy(folder / (array + ".npy"));
  }
  /// An array of two extents.
  [[nodiscard]] Matrix<double> matrix(const std::string& array) const {
    const auto file = read(array);
    const auto values = file.as<double>();
    return Eigen::Map<const Matrix<double>>(values.data(), file.shape.at(0), file.shape.at(1));
  }
  [[nodiscard]] std::vector<Index> indices(const std::string& array) const {
    return read(array).as<Index>();
  }
};

/// The case in `folder`.
inline Case load(const std::filesystem::path& folder) {
  std::ifstream file(folder / "case.json");
  const auto json = nlohmann::json::parse(file);
  Case result;
  result.folder = folder;
  result.name = json.at("name").get<std::string>();
  result.sizes = json.at("sizes").get<std::vector<Index>>();
  result.heads = json.at("heads").get<Index>();
  result.points = json.at("points").get<Index>();
  result.thresholds = json.at("thresholds").get<std::vector<double>>();
  result.refine = json.at("refine").get<bool>();
  if (!json.at("weight_ratio").is_null()) {
    result.weights = json.at("weight_ratio").get<std::vector<double>>();
  }
  for (const auto& yx : json.at("anchor_grid")) {
    result.anchors.push_back(yx.at(0).get<Index>() * result.grid().width + yx.at(1).get<Index>());
  }
  result.matched_pairs = json.at("matched_pairs").get<Index>();
  result.per_iteration = json.at("proposals_per_iteration").get<std::vector<Index>>();
  return result;
}

/// All cases below the folder that the environment variable DIFFSEG_GOLDEN_DIR names, or else below
/// `fallback`, by name.
inline std::vector<Case> load_all(const std::filesystem::path& fallback) {
  const char* const wanted = std::getenv("DIFFSEG_GOLDEN_DIR");
  std::vector<Case> cases;
  for (const auto& entry : std::filesystem::directory_iterator(wanted ? wanted : fallback)) {
    if (std::filesystem::exists(entry.path() / "case.json")) cases.push_back(load(entry.path()));
  }
  std::sort(cases.begin(), cases.end(),
            [](const Case& a, const Case& b) { return a.name < b.name; });
  return cases;
}

/// softmax over keys of q[h] k[h]^T, [heads, queries, keys], computed in double, stored as Scalar;
/// `queries` [heads, queries, depth] and `keys` [heads or 1, keys, depth].
template <class Scalar>
std::vector<Scalar> softmax(const diffseg::Tensor& queries, const diffseg::Tensor& keys) {
  const auto q = queries.as<double>();
  const auto k = keys.as<double>();
  const Index rows = queries.shape.at(1);
  const Index depth = queries.shape.at(2);
  const Index count = keys.shape.at(keys.shape.size() - 2);
  const bool shared = static_cast<Index>(k.size()) == count * depth;
  std::vector<Scalar> values(static_cast<std::size_t>(queries.shape.at(0) * rows * count));
  diffseg::detail::parallel_for(queries.shape.at(0) * rows, [&](Index row) {
    const support::KeepSubnormals keep;
    const Index head = shared ? 0 : row / rows;
    const Eigen::Map<const Matrix<double>> own(k.data() + head * count * depth, count, depth);
    const Eigen::Map<const Eigen::VectorXd> query(q.data() + row * depth, depth);
    Eigen::ArrayXd scores = (own * query).array();
    scores = (scores - scores.maxCoeff()).exp();
    Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>(values.data() + row * count, count) =
        (scores / scores.sum()).template cast<Scalar>();
  });
  return values;
}

/// The self-attention of one size.
template <class Scalar>
diffseg::Layer attention(const Case& test, Index side) {
  const std::string size = std::to_string(side);
  return diffseg::Layer::owning(softmax<Scalar>(test.read("q_" + size), test.read("k_" + size)),
                                test.heads, {side, side});
}

/// The cross-attention of one size.
template <class Scalar>
diffseg::Layer cross_attention(const Case& test, Index side) {
  const auto queries = test.read("xq_" + std::to_string(side));
  const auto keys = test.read("xk");
  const Index tokens = keys.shape.at(keys.shape.size() - 2);
  return diffseg::Layer::owning(softmax<Scalar>(queries, keys), queries.shape.at(0), {side, side},
                                {1, tokens});
}

/// One layer for each of the case's sizes.
template <class Scalar>
diffseg::Layers layers(const Case& test) {
  diffseg::Layers result;
  for (const Index side : test.sizes) result.push_back(attention<Scalar>(test, side));
  return result;
}

}  // namespace golden
