// SPDX-License-Identifier: MIT
// What each stage reads, made once per process by the stages before it.
#pragma once

#include <algorithm>
#include <diffseg/diffseg.hpp>
#include <vector>

#include "attention.hpp"

namespace bench {

using diffseg::Maps;
using diffseg::Proposals;
using diffseg::Similarities;

inline const Maps<float>& coffee_maps() {
  static const Maps<float> maps = diffseg::Aggregate{}(coffee());
  return maps;
}

inline const Maps<float>& photo_maps() {
  static const Maps<float> maps = diffseg::Aggregate{}(photo());
  return maps;
}

inline const Similarities<float>& coffee_similarities() {
  static const Similarities<float> similarities = diffseg::Compare{.ceiling = 0.9}(coffee_maps());
  return similarities;
}

inline const Similarities<float>& photo_similarities() {
  static const Similarities<float> similarities = diffseg::Compare{.ceiling = 1.3}(photo_maps());
  return similarities;
}

inline const Proposals<float>& coffee_proposals() {
  static const Proposals<float> proposals = diffseg::Merge{}(coffee_similarities());
  return proposals;
}

/// The numbers of a layer [heads * queries * keys], f32 only.
inline Eigen::Map<const Eigen::ArrayXf> numbers(const Layer& layer) {
  return {static_cast<const float*>(layer.data),
          layer.heads * layer.queries.cells() * layer.keys.cells()};
}

inline Index bytes(const Layers& layers) {
  Index total = 0;
  for (const Layer& layer : layers) total += layer.bytes();
  return total;
}

inline Index bytes(const Maps<float>& maps) {
  return maps.tokens() * maps.tokens() * Index{4};
}

/// For each anchor the maps closer than `threshold`.
inline std::vector<std::vector<Index>> match_sets(const Similarities<float>& similarities,
                                                  double threshold) {
  std::vector<std::vector<Index>> sets;
  using Row = Eigen::SparseMatrix<float, Eigen::RowMajor, int>::InnerIterator;
  for (Index anchor = 0; anchor < similarities.divergences.rows(); ++anchor) {
    auto& set = sets.emplace_back();
    for (Row match(similarities.divergences, anchor); match; ++match) {
      if (static_cast<double>(match.value()) < threshold) set.push_back(match.col());
    }
  }
  return sets;
}

/// Share of equal numbers, 0..1.
template <class Left, class Right>
double agreement(const std::vector<Left>& left, const std::vector<Right>& right) {
  if (left.size() != right.size() || left.empty()) return 0;
  std::size_t equal = 0;
  for (std::size_t i = 0; i < left.size(); ++i) equal += left[i] == right[i] ? 1 : 0;
  return static_cast<double>(equal) / static_cast<double>(left.size());
}

}  // namespace bench
