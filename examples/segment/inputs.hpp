// SPDX-License-Identifier: MIT
// From what the command line names to the photos, or the attention of photos, that are to be done.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "options.hpp"

namespace cli {

/// One photo, or the attention of one, and where its results go.
struct Item {
  std::string name = {};                              ///< for messages: as it was given or found
  std::string photo = {};                             ///< "-": stdin; empty: none, attention alone
  std::vector<std::filesystem::path> attention = {};  ///< empty: none, a photo alone
  std::string place = {};                             ///< results are PLACE.SUFFIX, below --output
  std::size_t key = 0;     ///< where in `name` the part begins that is the same on every machine
  std::string error = {};  ///< why it cannot be done; empty: nothing is known against it
};

/// All that is to be done, and what was passed over on the way.
struct Inputs {
  std::vector<Item> items;
  std::vector<std::string> passed_over;  ///< results of earlier runs among the files named
};

/// Looks into folders, lists and patterns, in an order that is the same everywhere, keeps inputs
/// apart whose results would have one name, and leaves the shard's part. An input that is not there
/// becomes an item with its error. Throws std::invalid_argument where two results would be one
/// file.
[[nodiscard]] Inputs list_inputs(const Options& options);

}  // namespace cli
