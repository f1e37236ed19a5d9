// SPDX-License-Identifier: MIT
// Label maps out of PNGs.
#pragma once

#include <diffseg/data/labels.hpp>
#include <filesystem>
#include <span>
#include <string>

namespace cli {

/// The numbers in a PNG: palette indices (whatever their colours) or grey values, 1 to 16 bits.
/// diffseg::io_error (`name`: reason; remedy) for anything else.
[[nodiscard]] diffseg::Labels decode_labels(std::span<const unsigned char> bytes,
                                            const std::string& name);

/// decode_labels of a file.
[[nodiscard]] diffseg::Labels read_labels(const std::filesystem::path& path);

}  // namespace cli
