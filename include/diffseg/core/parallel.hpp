// SPDX-License-Identifier: MIT
// All threads of the library start here. Work is cut into fixed pieces that write to places of
// their own, so results have the same bits for any number of threads.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <limits>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace diffseg {

namespace detail {

inline thread_local int thread_limit = std::numeric_limits<int>::max();

/// Keeps the exception of the lowest index, so that the error too is the same for any number of
/// threads: pieces above it may be skipped, pieces below it all run.
class FirstException {
 public:
  [[nodiscard]] bool before(Eigen::Index index) const {
    return lowest_.load(std::memory_order_relaxed) < index;
  }
  void keep(Eigen::Index index, std::exception_ptr exception) {
    const std::lock_guard lock(mutex_);
    if (before(index)) return;
    lowest_.store(index, std::memory_order_relaxed);
    exception_ = std::move(exception);
  }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::atomic<Eigen::Index> lowest_{std::numeric_limits<Eigen::Index>::max()};
  std::mutex mutex_;
  std::exception_ptr exception_;
};

/// Inside a region Eigen must stay serial: its own split of a product changes bits. The setting
/// belongs to the region's tasks and ends with them.
inline void keep_eigen_serial() {
#ifdef _OPENMP
  omp_set_num_threads(1);
#endif
}

/// The calling thread among those of its region, from 0 on.
inline std::size_t thread_index() {
#ifdef _OPENMP
  return static_cast<std::size_t>(omp_get_thread_num());
#else
  return 0;
#endif
}

/// A scratch taken from its place while a thread works with it: neighbours in a vector would share
/// cache lines.
template <class Scratch>
class Borrowed {
 public:
  template <class Prepare>
  Borrowed(Scratch& place, const Prepare& prepare) : place_(place), scratch_(std::move(place)) {
    prepare(scratch_);
  }
  ~Borrowed() { place_ = std::move(scratch_); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  [[nodiscard]] Scratch& get() { return scratch_; }

 private:
  Scratch& place_;
  Scratch scratch_;
};

}  // namespace detail

/// Caps the threads of all work started by this thread while it lives; caps nest, the lowest wins.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads) : previous_(detail::thread_limit) {
    detail::thread_limit = std::min(previous_, std::max(1, threads));
  }
  ~ThreadLimit() { detail::thread_limit = previous_; }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int previous_;
};

namespace detail {

/// Threads that parallel_for would use now, >= 1.
[[nodiscard]] inline int thread_count() {
#ifdef _OPENMP
  return omp_in_parallel() != 0 ? 1 : std::min(omp_get_max_threads(), thread_limit);
#else
  return 1;
#endif
}

/// Runs body(index, scratch) for every index in [0, count), each once, in any order; every thread
/// makes one scratch for itself. An exception stops the rest and is rethrown here.
template <class MakeScratch, class Body>
void parallel_for(Eigen::Index count, const MakeScratch& make_scratch, const Body& body) {
  if (count <= 0) return;
  FirstException failure;
  [[maybe_unused]] const int threads =
      static_cast<int>(std::min<Eigen::Index>(thread_count(), count));
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
#endif
  {
    keep_eigen_serial();
    // A failed scratch must not leave the region; its thread then skips its share and reports it.
    std::exception_ptr no_scratch;
    auto run = [&](Eigen::Index index, auto* scratch) {
      if (failure.before(index)) return;
      try {
        if (scratch == nullptr) std::rethrow_exception(no_scratch);
        body(index, *scratch);
      } catch (...) {
        failure.keep(index, std::current_exception());
      }
    };
    auto loop = [&](auto* scratch) {
#ifdef _OPENMP
#pragma omp for schedule(dynamic) nowait
#endif
      for (Eigen::Index index = 0; index < count; ++index) run(index, scratch);
    };
    using Scratch = decltype(make_scratch());
    alignas(Scratch) std::byte place[sizeof(Scratch)];
    Scratch* scratch = nullptr;
    try {
      scratch = new (place) Scratch(make_scratch());
    } catch (...) {
      no_scratch = std::current_exception();
    }
    loop(scratch);
    if (scratch != nullptr) scratch->~Scratch();
  }
  failure.rethrow();
}

/// The same with scratch that outlives the call: every thread takes one of `kept`, which grows to
/// their number, calls prepare(scratch) once and puts it back in the end. What an earlier call left
/// in a scratch must not change a result.
template <class Scratch, class Prepare, class Body>
void parallel_for(Eigen::Index count, std::vector<Scratch>& kept, const Prepare& prepare,
                  const Body& body) {
  const auto threads = static_cast<std::size_t>(thread_count());
  if (kept.size() < threads) kept.resize(threads);
  using Borrowed = Borrowed<Scratch>;
  parallel_for(
      count, [&] { return Borrowed(kept[thread_index()], prepare); },
      [&](Eigen::Index index, Borrowed& scratch) { body(index, scratch.get()); });
}

/// Runs body(index) for every index in [0, count), each once, in any order.
template <class Body>
void parallel_for(Eigen::Index count, const Body& body) {
  struct Nothing {};
  parallel_for(
      count, [] { return Nothing{}; }, [&](Eigen::Index index, Nothing&) { body(index); });
}

}  // namespace detail

}  // namespace diffseg
