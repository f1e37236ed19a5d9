// SPDX-License-Identifier: MIT
// Arrays by file and name, whatever the format of the file.
#pragma once

#include <diffseg/io/npy.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mapped.hpp"

namespace cli {

/// Opens each file once, however many of its arrays are asked for.
class ArrayFiles {
 public:
  /// `most_unpacked`: bytes that deflated arrays may have in all, as a small file may hold far more
  /// than memory; 0: what is free now.
  explicit ArrayFiles(double most_unpacked = 0);

  /// The array `name` of `file`; a .npy file has one, without a name.
  /// Throws diffseg::io_error (file: field: rule; remedy).
  [[nodiscard]] diffseg::Tensor read(const std::filesystem::path& file, const std::string& name);

  /// The names of all arrays of `file`; {""} for a .npy file.
  [[nodiscard]] std::vector<std::string> names(const std::filesystem::path& file);

  /// Those opened so far, for who must know whether one was cut off.
  [[nodiscard]] const std::vector<std::shared_ptr<const Watch>>& watches() const {
    return watches_;
  }

  /// True for a name that ends as the formats do that are read here.
  [[nodiscard]] static bool reads(const std::filesystem::path& file);

 private:
  struct OpenFile {
    std::vector<std::string> names;
    std::function<diffseg::Tensor(const std::string&)> read;
  };
  [[nodiscard]] OpenFile open(const std::filesystem::path& file);
  [[nodiscard]] const OpenFile& opened(const std::filesystem::path& file);

  std::map<std::filesystem::path, OpenFile> files_;
  std::vector<std::shared_ptr<const Watch>> watches_;
  std::shared_ptr<double> left_;  // of most_unpacked
};

}  // namespace cli
