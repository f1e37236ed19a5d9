// SPDX-License-Identifier: MIT
// Whole files in, whole files out.
#pragma once

#include <filesystem>
#include <utility>
#include <vector>

namespace cli {

using Bytes = std::vector<unsigned char>;

/// All bytes of a file; diffseg::io_error with the reason when it cannot be read.
[[nodiscard]] Bytes read_file(const std::filesystem::path& path);

/// Files that appear under their names complete or not at all: `add` writes beside the target,
/// `commit` renames, and what was never committed is removed. Both throw diffseg::io_error.
class OutputFiles {
 public:
  OutputFiles() = default;
  ~OutputFiles();
  OutputFiles(const OutputFiles&) = delete;
  OutputFiles& operator=(const OutputFiles&) = delete;

  void add(const std::filesystem::path& target, const Bytes& bytes);
  void commit();

 private:
  std::vector<std::pair<std::filesystem::path, std::filesystem::path>> pending_;  // beside, target
};

}  // namespace cli
