// SPDX-License-Identifier: MIT
// Names for files that are not finished, and what becomes of them when their process is killed.
#pragma once

#include <filesystem>
#include <string>

namespace cli {

/// The name of a file that is not finished, removed unless it was renamed:
/// PREFIX-PLACE-PID-COUNT.tmp, of bounded length, where PLACE is the machine and, in a container,
/// its table of processes.
class TemporaryFile {
 public:
  /// A name that nobody else has in `folder`; empty: here.
  explicit TemporaryFile(const std::filesystem::path& folder);
  ~TemporaryFile();
  TemporaryFile(TemporaryFile&& other) noexcept;
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  /// A descriptor to write it, as open(2); -1 and errno when there is none.
  [[nodiscard]] int open() const;
  /// 0, or the error; it is no longer temporary then.
  [[nodiscard]] int rename_to(const std::filesystem::path& target);

 private:
  std::filesystem::path path_;  // empty: renamed
};

}  // namespace cli
