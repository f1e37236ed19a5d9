// SPDX-License-Identifier: MIT
// Whole files in, whole files out.
#pragma once

#include <cstdint>
#include <diffseg/io/error.hpp>
#include <filesystem>
#include <string>
#include <vector>

namespace cli {

using Bytes = std::vector<unsigned char>;

/// Bytes that a file may have which is read as a whole.
inline constexpr std::size_t most_file_bytes = 4'000'000'000;

/// All bytes of a file, of a pipe too; diffseg::io_error with the reason when it cannot be read or
/// has more than `most`.
[[nodiscard]] Bytes read_file(const std::filesystem::path& path,
                              std::size_t most = most_file_bytes);

/// The same of an open descriptor, called `name` in messages.
[[nodiscard]] Bytes read_descriptor(int file, const std::filesystem::path& name,
                                    std::size_t most = most_file_bytes);

/// A file that is to be.
struct OutputFile {
  std::filesystem::path path;
  Bytes bytes;
};

/// There is no room for any file: others would fail like this one.
class DiskFull : public diffseg::io_error {
 public:
  using io_error::io_error;
};

/// Writes all files, or none: each beside its place under a temporary name, then all are renamed in
/// their order; the last one is what says that the others are there, so it goes first where it is
/// replaced. Folders are made. Throws diffseg::io_error, whatever was there before unharmed.
void write_files(const std::vector<OutputFile>& files);

/// Why no file can be made in `folder`, or in the folder it would be made in; empty: nothing is
/// known against it.
[[nodiscard]] std::string why_unwritable(const std::filesystem::path& folder);

/// Removes what killed processes left in `folder`: temporary files whose process is gone, and of
/// other machines and containers, where that cannot be seen, those that are an hour old.
void remove_leftovers(const std::filesystem::path& folder) noexcept;

/// Removes the temporary files of this process, and lets it make no others: it is about to end.
void abandon_files() noexcept;

}  // namespace cli
