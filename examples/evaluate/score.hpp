// SPDX-License-Identifier: MIT
// The scores of one photo, out of its files.
#pragma once

#include <cstdint>
#include <set>

#include "label_files.hpp"
#include "report.hpp"

namespace cli {

struct ScoreOptions {
  diffseg::Index classes = 0;      ///< 0: truths are regions without meaning
  std::set<std::int32_t> ignored;  ///< labels of truths that mean: not annotated
  bool resize_truth = false;       ///< truths of another size are scaled, else refused
};

/// What is to be told of one photo.
struct PhotoResult {
  PhotoScore score;
  ClassSums classes = {};      ///< of all its truths
  diffseg::Index holding = 0;  ///< truths that hold 255 as if it were a region
};

/// Throws diffseg::io_error and std::invalid_argument for what cannot be scored.
[[nodiscard]] PhotoResult score_photo(const LabelFiles& files, const ScoreOptions& options);

}  // namespace cli
