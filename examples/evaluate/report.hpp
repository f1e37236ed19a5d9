// SPDX-License-Identifier: MIT
#pragma once

#include <diffseg/labels/evaluate.hpp>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace cli {

/// The scores of one photo.
struct PhotoScore {
  std::string id;
  std::string error = {};  ///< why there is none; empty: everything below is set
  diffseg::GridSize size = {};
  diffseg::Index truths = 0;             ///< with annotated pixels; 0: nothing is scored
  diffseg::Index segments = 0;           ///< labels that occur in the prediction
  diffseg::PartitionScores scores = {};  ///< means over the truths
  double borders = 0;                    ///< F of the borders within 2 pixels, mean over the truths

  [[nodiscard]] bool scored() const { return error.empty() && truths > 0; }
};

/// Pixels of classes, added up over truths, photos and machines.
struct ClassSums {
  diffseg::ClassCounts ignored = {};          ///< one matching a truth, Unmatched::ignored
  diffseg::ClassCounts false_positives = {};  ///< the same, Unmatched::false_positives
  diffseg::SparseCounts table = {};           ///< [classes x predicted labels] of all truths

  /// Those of no photo.
  [[nodiscard]] static ClassSums none(diffseg::Index classes);
  /// Of equally many classes.
  ClassSums& operator+=(const ClassSums& other);
};

/// All photos together.
struct Summary {
  diffseg::Index photos = 0;  ///< with scores
  diffseg::Index truths = 0;
  double segments = 0;                    ///< mean over photos
  double covering = 0;                    ///< pooled: every annotator of every photo is alike
  diffseg::PartitionScores mean = {};     ///< over photos
  double borders = 0;                     ///< mean over photos
  std::optional<ClassSums> classes = {};  ///< nothing where nobody asked
};

/// The means of all photos with scores.
[[nodiscard]] Summary summarise(const std::vector<PhotoScore>& photos);

/// One row a photo, the sums below, and the classes if there are any; "-" where nothing is scored.
void print_table(std::ostream& out, const std::vector<PhotoScore>& photos, const Summary& summary);

/// The same as one JSON document, null where nothing is scored; with what read_report needs.
void print_json(std::ostream& out, const std::vector<PhotoScore>& photos, const Summary& summary);

}  // namespace cli
