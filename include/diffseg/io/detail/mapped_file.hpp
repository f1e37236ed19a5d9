// SPDX-License-Identifier: MIT
// Files as memory: mapped where the platform can, so that only what is used is read, and only once.
#pragma once

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#if __has_include(<sys/mman.h>)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include <diffseg/io/detail/file_bytes.hpp>

namespace diffseg {

/// A file's bytes, read-only, for as long as this lives. The file must not shrink meanwhile; to
/// replace it, write beside it and rename, as write_npy does.
class MappedFile {
 public:
  /// Throws io_error when `path` is no file that may be read.
  explicit MappedFile(const std::filesystem::path& path) {
    const std::string name = path.string();
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    check(!is_directory(status), name, "it is a folder");
    check(!exists(status) || is_regular_file(status), name, "it is a pipe or a device");
    if (!map(path, name)) read(path, name);
  }
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// Begins at a multiple of the page size, or of 16 where nothing is mapped.
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  bool map(const std::filesystem::path& path, const std::string& name);
  void read(const std::filesystem::path& path, const std::string& name);
  static void check(bool condition, const std::string& name, const std::string& reason) {
    detail::require_io(condition, name, "file: cannot be opened, ", reason,
                       "; check that it is a file and may be read");
  }

  std::span<const std::byte> bytes_;
  bool mapped_ = false;
  std::vector<std::byte> copy_;  ///< the bytes when nothing is mapped
};

/// The bytes of the file at `path`; they stay for as long as their owner.
[[nodiscard]] inline FileBytes map_file(const std::filesystem::path& path) {
  auto file = std::make_shared<const MappedFile>(path);
  const auto bytes = file->bytes();
  return {path.string(), bytes, std::move(file)};
}

/// Where no mapping is possible.
inline void MappedFile::read(const std::filesystem::path& path, const std::string& name) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  check(!error, name, error.message());
  std::ifstream file(path, std::ios::binary);
  check(file.is_open(), name, "access is denied");
  check(size <= PTRDIFF_MAX, name, "it is larger than the address space");
  copy_.resize(static_cast<std::size_t>(size));
  file.read(reinterpret_cast<char*>(copy_.data()), static_cast<std::streamsize>(size));
  detail::require_io(file.good() || size == 0, name,
                     "file: cannot be read to its end; check the disk and try again");
  bytes_ = copy_;
}

#if __has_include(<sys/mman.h>)

inline MappedFile::~MappedFile() {
  if (mapped_) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

/// False when the file can be opened but its file system maps nothing, or it is empty.
inline bool MappedFile::map(const std::filesystem::path& path, const std::string& name) {
  const auto reason = [] { return std::generic_category().message(errno); };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) check(false, name, reason());
  struct stat status {};
  const bool sized = ::fstat(file, &status) == 0 && status.st_size > 0 &&
                     static_cast<std::uintmax_t>(status.st_size) <= PTRDIFF_MAX;
  const auto size = sized ? static_cast<std::size_t>(status.st_size) : 0;
  void* const data = sized ? ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
  ::close(file);  // the mapping keeps the file
  if (data == MAP_FAILED) return false;
  bytes_ = {static_cast<const std::byte*>(data), size};
  return mapped_ = true;
}

#else

inline MappedFile::~MappedFile() = default;
inline bool MappedFile::map(const std::filesystem::path&, const std::string&) {
  return false;
}

#endif

}  // namespace diffseg
