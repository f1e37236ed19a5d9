// SPDX-License-Identifier: MIT
#pragma once

#include <diffseg/data/labels.hpp>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace cli {

/// The numbers in a PNG: palette indices (whatever their colours) or grey values, 1 to 16 bits.
/// diffseg::io_error (`name`: reason; remedy) for anything else.
[[nodiscard]] diffseg::Labels decode_labels(std::span<const unsigned char> bytes,
                                            const std::string& name);

/// decode_labels of a file.
[[nodiscard]] diffseg::Labels read_labels(const std::filesystem::path& path);

/// The files about one photo.
struct LabelFiles {
  std::string id;
  std::filesystem::path prediction;           ///< empty: missing
  std::vector<std::filesystem::path> truths;  ///< in the order of their numbers
};

/// All photos of a folder of truths, by name: ID.truthK.png, or ID.png where there is no such; and
/// their predictions ID.labels.png, or else ID.png.
[[nodiscard]] std::vector<LabelFiles> find_labels(const std::filesystem::path& predictions,
                                                  const std::filesystem::path& truths);

}  // namespace cli
