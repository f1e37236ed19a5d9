// SPDX-License-Identifier: MIT
// Which prediction belongs to which truths.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cli {

/// The files about one photo.
struct LabelFiles {
  std::string id;                             ///< with its sub-folders
  std::filesystem::path prediction;           ///< empty: none, and `error` says why
  std::vector<std::filesystem::path> truths;  ///< in the order of their numbers
  std::string error = {};                     ///< why they cannot be scored
};

/// All photos of a folder of truths and its sub-folders, by name: ID.truthK.png, or else
/// ID_gtFine_labelIds.png (labelTrainIds, gtCoarse), ID.labels.png or ID.png; and their predictions
/// ID.labels.png, or else ID.png, ID_leftImg8bit.labels.png or ID_leftImg8bit.png: in the
/// sub-folder of the same name, or in any where only one has this name. Suffixes in any case;
/// hidden files are passed over. Throws diffseg::io_error for folders that cannot be read.
[[nodiscard]] std::vector<LabelFiles> find_labels(const std::filesystem::path& predictions,
                                                  const std::filesystem::path& truths);

}  // namespace cli
