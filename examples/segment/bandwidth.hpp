// SPDX-License-Identifier: MIT
#pragma once

namespace cli {

/// Bytes that this machine reads from memory in a second with all threads, measured: the best of a
/// few reads of 134 MB, more than most caches hold. 0 without memory for them.
[[nodiscard]] double read_bandwidth();

}  // namespace cli
