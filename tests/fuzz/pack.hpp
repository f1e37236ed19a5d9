// SPDX-License-Identifier: MIT
// Many small inputs in one file: the length of each in four bytes, the lowest first, and its bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace fuzz {

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path.string() + ": cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::vector<std::string> unpack(const std::string& pack) {
  std::vector<std::string> inputs;
  for (std::size_t at = 0; at < pack.size();) {
    std::size_t length = 0;
    for (std::size_t i = 4; i-- > 0;)
      length = length << 8U | static_cast<unsigned char>(pack.at(at + i));
    if (length > pack.size() - at - 4) throw std::runtime_error("a pack is cut off");
    inputs.push_back(pack.substr(at + 4, length));
    at += 4 + length;
  }
  return inputs;
}

/// The inputs in a pack, or those that are the files of a folder.
inline std::vector<std::string> read_inputs(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return unpack(bytes_of(path));
  std::vector<std::string> inputs;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    inputs.push_back(bytes_of(entry.path()));
  return inputs;
}

}  // namespace fuzz
