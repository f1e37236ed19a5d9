// SPDX-License-Identifier: MIT
#pragma once

#include <diffseg/labels/evaluate.hpp>
#include <iosfwd>
#include <string>
#include <vector>

namespace cli {

/// The scores of one photo.
struct PhotoScore {
  std::string id;
  std::string error = {};  ///< why there is none; empty: everything below is set
  diffseg::GridSize size = {};
  diffseg::Index truths = 0;
  diffseg::Index segments = 0;           ///< labels that occur in the prediction
  diffseg::PartitionScores scores = {};  ///< means over the truths
  double borders = 0;                    ///< F of the borders within 2 pixels, mean over the truths
};

/// All photos together.
struct Summary {
  diffseg::Index photos = 0;  ///< with scores
  diffseg::Index truths = 0;
  double segments = 0;                 ///< mean over photos
  double covering = 0;                 ///< pooled: every annotator of every photo counts alike
  diffseg::PartitionScores mean = {};  ///< over photos
  double borders = 0;                  ///< mean over photos
  std::vector<diffseg::Counts> confusions = {};  ///< one a truth; only with classes
};

/// The means of all photos with scores.
[[nodiscard]] Summary summarise(const std::vector<PhotoScore>& photos);

/// One row a photo, the sums below, and the classes if there are any.
void print_table(std::ostream& out, const std::vector<PhotoScore>& photos, const Summary& summary);

/// The same as one JSON document.
void print_json(std::ostream& out, const std::vector<PhotoScore>& photos, const Summary& summary);

}  // namespace cli
