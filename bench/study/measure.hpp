// SPDX-License-Identifier: MIT
// Times and judges the ways of a group on one case.
#pragma once

#include <string>
#include <vector>

#include "ways.hpp"

namespace study {

/// One way on one case.
struct Sample {
  std::string source, group, way, name;
  bool exact = false;
  double milliseconds = 0;   ///< median over rounds
  double ratio = 1;          ///< of its time to that of the exact way; median over rounds
  double megabytes = 0;      ///< input, and the most memory beyond it; 0: the system does not tell
  double adjusted_rand = 1;  ///< of the labels with the exact ones
  double boundary = 1;       ///< F-measure of borders within 2 pixels
  double segments = 0;       ///< labels
  double covering = -1;      ///< of the annotators' regions; -1: there are no annotators
};

/// What Compare's filter leaves of the pairs of anchors and maps of one case, exact options.
struct Pairs {
  std::string source, name;
  double threshold = 0;  ///< Compare's ceiling: no pair above it is asked for
  double matched = 0;    ///< share of all pairs that lies below
  double evaluated = 0;  ///< share that a bound did not reject
};

/// What a run gives.
struct Samples {
  std::vector<Sample> ways;
  std::vector<Pairs> pairs;
};

/// Aggregates and compares once.
[[nodiscard]] Pairs count_pairs(const Case& test);

/// Runs all ways in turns, `rounds` times after one that is not timed.
[[nodiscard]] std::vector<Sample> measure(const Group& group, const Case& test, int rounds);

}  // namespace study
