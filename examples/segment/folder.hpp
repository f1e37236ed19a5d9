// SPDX-License-Identifier: MIT
// What lies in folders, and what of it is meant.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace cli {

/// "cannot be read (REASON); REMEDY" of a folder.
[[nodiscard]] std::string why_unreadable(const std::error_code& error);

/// A name that ends as photos do, in upper or lower case.
[[nodiscard]] bool is_photo_name(const std::filesystem::path& name);

/// ".jpg, .jpeg, ..", for messages.
[[nodiscard]] std::string photo_suffixes();

/// A name that this program gives its results.
[[nodiscard]] bool is_result(const std::filesystem::path& name);

struct FolderListing {
  std::vector<std::string> files;                               ///< below the folder, sorted
  std::vector<std::pair<std::string, std::string>> unreadable;  ///< folders, with the reason
};

/// The files of `root` (ending in a slash) that are `wanted`, with those of its folders where
/// `recursive`. Passed over are hidden files (also ._NAME, which macOS leaves), __MACOSX, results
/// and the folder of results.
[[nodiscard]] FolderListing list_folder(const std::string& root, bool recursive,
                                        const std::filesystem::path& results,
                                        bool (*wanted)(const std::filesystem::path&));

/// What a folder of attention holds.
struct AttentionFolder {
  std::vector<std::filesystem::path> manifests;  ///< sorted
  std::vector<std::filesystem::path> folders;    ///< sorted
  bool arrays = false;                           ///< some
  std::string unreadable = {};                   ///< why the rest is not known; empty: it is
};
[[nodiscard]] AttentionFolder look_into(const std::filesystem::path& folder,
                                        const std::filesystem::path& results);

}  // namespace cli
