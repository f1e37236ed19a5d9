// SPDX-License-Identifier: MIT
// What the samples say in the end, as text and as JSON.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "measure.hpp"

namespace study {

/// One way over all cases of a source.
struct Row {
  std::string source, group, way;
  std::string exact;  ///< what the group compares with
  bool is_exact = false;
  int cases = 0;
  double milliseconds = 0;                            ///< median over cases, as all below
  double ratio = 0, ratio_low = 0, ratio_high = 0;    ///< to the exact time, with quartiles
  double megabytes = 0;                               ///< input and peak beyond it
  double adjusted_rand = 0, adjusted_rand_worst = 0;  ///< with the exact labels
  double boundary = 0, boundary_worst = 0;            ///< F-measure, 2 pixels
  double segments = 0;
  double covering = -1;  ///< mean over cases with annotators; -1: none
};

/// A run of the study.
struct Study {
  std::string machine;
  int threads = 0;
  int rounds = 0;
  std::vector<Row> rows;
};

/// One row for each source, group and way, in the order in which they first appear.
[[nodiscard]] std::vector<Row> summarise(const std::vector<Sample>& samples);

/// One Markdown table for each source.
void print_tables(std::ostream& out, const Study& study);

/// One line for each source: what the filter leaves, median and range over its cases.
void print_pairs(std::ostream& out, const std::vector<Pairs>& pairs);

/// Everything, with the samples behind it.
[[nodiscard]] std::string write_json(const Study& study, const Samples& samples);

}  // namespace study
