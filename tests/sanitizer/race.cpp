// SPDX-License-Identifier: MIT
// Sums over a parallel_for: with a race on purpose, or without one when an argument is given.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <diffseg/core/parallel.hpp>
#include <thread>
#include <vector>

namespace {

/// Waits for a second thread, by operations that order nothing.
void meet() {
  static std::atomic<int> present{0};
  thread_local bool is_here = false;
  if (is_here) return;
  is_here = true;
  present.fetch_add(1, std::memory_order_relaxed);
  for (int i = 0; i < 5000 && present.load(std::memory_order_relaxed) < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

int main(int argc, char**) {
  std::vector<long> parts(1000, 0);
  const bool quiet = argc > 1;
  diffseg::detail::parallel_for(1000, [&](Eigen::Index index) {
    meet();
    parts[quiet ? static_cast<std::size_t>(index) : 0] += index;
  });
  long sum = 0;
  for (const long part : parts) sum += part;
  std::printf("%ld\n", sum);
}
