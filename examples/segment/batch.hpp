// SPDX-License-Identifier: MIT
// Photos, one after the other or several at a time.
#pragma once

#include "options.hpp"

namespace cli {

/// Does everything that the options ask for and tells it; the exit status.
[[nodiscard]] int run_batch(const Options& options);

}  // namespace cli
