// SPDX-License-Identifier: MIT
// Is this the child of a process that had other threads? OpenMP waits for them, and they exist in
// the parent alone.
#pragma once

#if defined(_OPENMP) && __has_include(<pthread.h>) && __has_include(<sys/stat.h>)

#include <pthread.h>
#include <sys/stat.h>

#include <atomic>

namespace diffseg::detail {

inline std::atomic<bool> forks_threads{false};  // of the process that is about to fork
inline std::atomic<bool> forked_child{false};

/// Linux links each thread of a process to this folder, which has two more links; where it cannot
/// be asked, there may be threads.
inline void look_before_fork() {
  struct stat folder {};
  forks_threads = ::stat("/proc/self/task", &folder) != 0 || folder.st_nlink != 3;
}

inline void look_after_fork() {
  if (forks_threads) forked_child = true;
}

inline const bool watches_forks = pthread_atfork(look_before_fork, nullptr, look_after_fork) == 0;

[[nodiscard]] inline bool is_forked_child() {
  return watches_forks && forked_child.load(std::memory_order_relaxed);
}

}  // namespace diffseg::detail

#else

namespace diffseg::detail {

[[nodiscard]] inline bool is_forked_child() {
  return false;
}

}  // namespace diffseg::detail

#endif
