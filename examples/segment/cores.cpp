// SPDX-License-Identifier: MIT
#include "cores.hpp"

#include <algorithm>
#include <cmath>
#include <diffseg/core/parallel.hpp>
#include <fstream>

namespace cli {

namespace {

/// Cores that a container's quota grants; a large number where there is none.
int container_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota = 0;
  double period = 0;
  constexpr double most = 1'000'000;
  return file >> quota >> period && period > 0
             ? static_cast<int>(std::clamp(std::ceil(quota / period), 1.0, most))
             : static_cast<int>(most);
}

}  // namespace

Cores share_cores(const Options& options, std::size_t photos) {
  const int all = std::min(diffseg::detail::thread_count(), container_cores());
  const std::size_t most = std::max<std::size_t>(1, photos);
  const std::size_t wanted =
      options.jobs > 0 ? static_cast<std::size_t>(options.jobs) : static_cast<std::size_t>(all);
  Cores cores{std::min(wanted, most), 1};
  if (options.threads > 0) {
    cores.threads = static_cast<int>(options.threads);
  } else if (photos <= 1 || options.jobs == 0) {
    cores.threads = std::max(1, all / static_cast<int>(cores.jobs));
  }
  return cores;
}

}  // namespace cli
