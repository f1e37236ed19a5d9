// SPDX-License-Identifier: MIT
// Files of attention in memory, that may be cut off while they are read.
#pragma once

#include <diffseg/io/detail/file_bytes.hpp>
#include <filesystem>
#include <memory>

namespace cli {

/// A mapped file, watched: what lies behind its new end when it shrinks, or on a disk that fails,
/// reads as zeros from then on, where the signal SIGBUS would end the process.
class Watch {
 public:
  /// Keeps `file`. Of very many at a time some are not watched.
  explicit Watch(diffseg::FileBytes file);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Zeros stand in for numbers.
  [[nodiscard]] bool is_cut_off() const;

  /// Its bytes, as long as `watch` or they themselves are kept.
  [[nodiscard]] static diffseg::FileBytes bytes_of(const std::shared_ptr<const Watch>& watch);

  struct Slot;

 private:
  diffseg::FileBytes file_;
  Slot* slot_ = nullptr;
};

/// map_file, watched. From the first call on this process has a handler for SIGBUS; what is not
/// watched ends it as before.
[[nodiscard]] std::shared_ptr<const Watch> map_watched(const std::filesystem::path& path);

}  // namespace cli
