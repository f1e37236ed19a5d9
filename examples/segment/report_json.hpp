// SPDX-License-Identifier: MIT
// What became of a photo, as JSON: on stdout, and in the sidecar of its results.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "report.hpp"

namespace cli {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json to_json(const PhotoReport& report);

/// What to_json made; nlohmann's exceptions where it did not. Neither error nor what was passed
/// over.
[[nodiscard]] PhotoReport report_from(const Json& json);

/// On one line; file names need not be UTF-8.
[[nodiscard]] std::string one_line(const Json& json);

}  // namespace cli
