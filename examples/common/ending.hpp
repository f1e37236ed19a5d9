// SPDX-License-Identifier: MIT
// What main does about what nothing else has caught.
#pragma once

#include <cstdio>
#include <exception>
#include <new>

namespace cli {

/// Tells the exception at hand on stderr, also where there is no memory for words; returns the exit
/// status.
inline int end_with_exception(const char* program) noexcept {
  const char* const form = "%s: %s\n";
  try {
    throw;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, form, program, "not enough memory; free some, or give it less at a time");
  } catch (const std::exception& error) {
    std::fprintf(stderr, form, program, error.what());
  } catch (...) {
    std::fprintf(stderr, form, program, "something went wrong without a name");
  }
  return 1;
}

}  // namespace cli
