// SPDX-License-Identifier: MIT
// Sums over a parallel_for: with a race on purpose, or without one when an argument is given.
#include <cstdio>
#include <diffseg/core/parallel.hpp>
#include <vector>

int main(int argc, char**) {
  std::vector<long> parts(1000, 0);
  const bool quiet = argc > 1;
  diffseg::detail::parallel_for(1000, [&](Eigen::Index index) {
    parts[quiet ? static_cast<std::size_t>(index) : 0] += index;
  });
  long sum = 0;
  for (const long part : parts) sum += part;
  std::printf("%ld\n", sum);
}
