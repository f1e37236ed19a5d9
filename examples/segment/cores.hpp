// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "options.hpp"

namespace cli {

/// How the cores are shared among photos.
struct Cores {
  std::size_t jobs = 1;  ///< photos at a time
  int threads = 1;       ///< of each
};

/// As the options say; else a photo for every core that OpenMP and the container grant, and all of
/// them for a photo that is alone.
[[nodiscard]] Cores share_cores(const Options& options, std::size_t photos);

}  // namespace cli
