// SPDX-License-Identifier: MIT
// Allocations that fail when a test says so. For one unit of a program.
#pragma once

#include <atomic>
#include <cstddef>

#include "support/heap.hpp"

namespace support {

inline std::atomic<long> until_failure{-1};  ///< allocations that may still be made; < 0: all
inline std::atomic<std::size_t> spared{0};   ///< smaller ones are not counted
inline std::atomic<long> held{0};            ///< allocations that the process has

}  // namespace support

bool support::may_take(std::size_t bytes) {
  return bytes < spared || until_failure.load() < 0 || until_failure.fetch_sub(1) != 0;
}
void support::taken(void* place, std::size_t /*bytes*/) {
  held += place != nullptr ? 1 : 0;
}
void support::given(void* place) {
  held -= place != nullptr ? 1 : 0;
}
