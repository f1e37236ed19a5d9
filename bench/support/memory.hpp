// SPDX-License-Identifier: MIT
// The most memory that a call needs beyond what is there before it. Linux.
#pragma once

#include <malloc.h>

#include <fstream>
#include <sstream>
#include <string>

namespace bench {

namespace detail {

/// A field of /proc/self/status in bytes, 0 if there is none.
inline double status_bytes(const std::string& field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(field + ":", 0) != 0) continue;
    double kilobytes = 0;
    std::istringstream(line.substr(field.size() + 1)) >> kilobytes;
    return kilobytes * 1024;
  }
  return 0;
}

}  // namespace detail

/// Bytes of resident memory at the peak of body() beyond those before it; negative if the system
/// does not tell.
template <class Body>
double peak_bytes(const Body& body) {
  malloc_trim(0);
  std::ofstream refs("/proc/self/clear_refs");
  refs << "5" << std::flush;  // resets the peak
  if (!refs) return -1;
  const double before = detail::status_bytes("VmRSS");
  body();
  return detail::status_bytes("VmHWM") - before;
}

}  // namespace bench
