// SPDX-License-Identifier: MIT
// The file beside a photo's results that says that they are there, and what they were made of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "files.hpp"
#include "inputs.hpp"
#include "options.hpp"
#include "report.hpp"

namespace cli {

/// A file that results are made of; it is the same while all of this is.
struct SourceFile {
  std::string name;              ///< without its folder, which may move
  std::uintmax_t bytes = 0;      ///< its size
  std::int64_t modified_ns = 0;  ///< since 1970

  bool operator==(const SourceFile&) const = default;
};

/// The files of `item`, photo and attention; diffseg::io_error where a manifest is none.
[[nodiscard]] std::vector<SourceFile> sources_of(const Item& item);

/// Of the program's version and of every option that changes a result, in hexadecimal: equal where
/// results are.
[[nodiscard]] std::string options_hash(const Options& options);

/// True for a file that add_sidecar wrote.
[[nodiscard]] bool is_sidecar(const std::filesystem::path& path);

/// Adds the sidecar to the results of `item`, which are those of report.files: PLACE.json, or
/// PLACE.segment.json where a file that is none has that name.
void add_sidecar(std::vector<OutputFile>& results, const Item& item, const PhotoReport& report,
                 const std::vector<SourceFile>& sources, const Options& options);

/// What an earlier run told of `item`, if all of its results are there and would be the same now.
[[nodiscard]] std::optional<PhotoReport> done_before(const Item& item,
                                                     const std::vector<SourceFile>& sources,
                                                     const Options& options);

}  // namespace cli
