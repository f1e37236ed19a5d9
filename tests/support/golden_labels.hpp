// SPDX-License-Identifier: MIT
// The labels that all of segment() gives a golden case, and how many of them two results share.
#pragma once

#include <cstddef>
#include <diffseg/segment.hpp>
#include <numeric>

#include "golden.hpp"

namespace golden {

/// The labels of `layers` with what the case's answers were computed with.
inline diffseg::Labels labels_of(const Case& test, const diffseg::Layers& layers,
                                 double floor = 1e-30) {
  diffseg::SegmentOptions options;
  options.aggregate.weights = test.weights;
  options.aggregate.floor = floor;
  const double sum = std::accumulate(test.weights.begin(), test.weights.end(), 0.0);
  for (double& weight : options.aggregate.weights) weight /= sum;
  options.compare.anchors = {test.points, test.points};
  options.compare.placement = diffseg::Compare::Placement::published;
  options.merge.thresholds = test.thresholds;
  return diffseg::segment(layers, options);
}

/// The share of cells with the same label.
inline double agreement(const diffseg::Labels& a, const diffseg::Labels& b) {
  Index equal = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) equal += a.values[i] == b.values[i] ? 1 : 0;
  return static_cast<double>(equal) / static_cast<double>(a.values.size());
}

}  // namespace golden
