// SPDX-License-Identifier: MIT
// Reports of several machines, put together.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "report.hpp"

namespace cli {

using Json = nlohmann::ordered_json;

/// The sums under names, and back.
[[nodiscard]] Json to_json(const ClassSums& sums);
[[nodiscard]] ClassSums class_sums_from(const Json& json);

/// What one or several runs found.
struct Report {
  std::vector<PhotoScore> photos;
  std::optional<ClassSums> classes;  ///< nothing where nobody asked
};

/// What print_json wrote into the files, as if one run had scored all photos. A photo that one
/// report scores and others could not is scored. Throws diffseg::io_error for files that are no
/// such reports, that two score the same photo, or have other classes.
[[nodiscard]] Report merge_reports(const std::vector<std::filesystem::path>& files);

}  // namespace cli
