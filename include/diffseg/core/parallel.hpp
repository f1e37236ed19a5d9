// SPDX-License-Identifier: MIT
// All threads of the library start here. Work is cut into fixed pieces that write to places of
// their own, so results have the same bits for any number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <limits>
#include <mutex>
#include <utility>
#include <vector>

#include "diffseg/core/detail/fork.hpp"
#include "diffseg/core/subnormals.hpp"
#include "diffseg/core/types.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace diffseg {

namespace detail {

inline thread_local int thread_limit = std::numeric_limits<int>::max();

/// Threads that parallel_for would use now, >= 1: one inside a parallel region, and one in a child
/// of fork, where the threads that OpenMP waits for do not exist.
[[nodiscard]] inline int thread_count() {
#ifdef _OPENMP
  if (omp_in_parallel() != 0 || is_forked_child()) return 1;
  return std::max(1, std::min(omp_get_max_threads(), thread_limit));
#else
  return 1;
#endif
}

/// Hands the indices 0 .. count - 1 out, ascending. After an exception no further ones: all below
/// it are out already, and the one of the lowest index is kept, so that the error too is the same
/// for any number of threads.
class TaskQueue {
 public:
  explicit TaskQueue(Index count) : count_(count) {}

  /// The next index, or -1 when there is none.
  [[nodiscard]] Index next() {
    if (stopped_.load(std::memory_order_relaxed)) return -1;
    const Index index = next_.fetch_add(1, std::memory_order_relaxed);
    return index < count_ ? index : -1;
  }
  /// Keeps the exception at hand, thrown for `index`.
  void fail(Index index) {
    stopped_.store(true, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    if (exception_ && lowest_ <= index) return;
    lowest_ = index;
    exception_ = std::current_exception();
  }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  Index count_;
  std::atomic<Index> next_{0};
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  Index lowest_ = 0;
  std::exception_ptr exception_;
};

/// What every thread does, without its type: the region below is compiled once.
class Worker {
 public:
  template <class Work>
  explicit Worker(const Work& work)
      : work_(&work), call_([](const void* place, TaskQueue& queue, std::size_t thread) {
          (*static_cast<const Work*>(place))(queue, thread);
        }) {}
  void operator()(TaskQueue& queue, std::size_t thread) const { call_(work_, queue, thread); }

 private:
  const void* work_;
  void (*call_)(const void*, TaskQueue&, std::size_t);
};

/// Calls worker(queue, thread) once in every thread, numbered from 0 on; it throws nothing.
/// Subnormal numbers are zeros to all of them, whichever thread it is, so that the bits do not
/// depend on their number.
inline void run_workers(Index count, const Worker& worker) {
  TaskQueue queue(count);
  const auto work = [&](std::size_t thread) {
    const FlushSubnormals flush;
    worker(queue, thread);
  };
  const int threads = static_cast<int>(std::min<Index>(thread_count(), count));
  if (threads == 1) {
    work(0);
  } else {
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
    work(static_cast<std::size_t>(omp_get_thread_num()));
#endif
  }
  queue.rethrow();
}

/// Runs body(index, scratch) for every index in [0, count), each once; make_scratch(thread) makes
/// one scratch for each thread. An exception stops the rest and is rethrown here.
template <class MakeScratch, class Body>
void run_tasks(Index count, const MakeScratch& make_scratch, const Body& body) {
  if (count <= 0) return;
  const auto work = [&](TaskQueue& queue, std::size_t thread) {
    Index index = -1;
    try {
      auto scratch = make_scratch(thread);
      while ((index = queue.next()) >= 0) body(index, scratch);
    } catch (...) {
      queue.fail(index);
    }
  };
  run_workers(count, Worker(work));
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

/// Runs body(index, scratch) for every index in [0, count), each once, in any order; every thread
/// makes one scratch for itself.
template <class MakeScratch, class Body>
void parallel_for(Index count, const MakeScratch& make_scratch, const Body& body) {
  run_tasks(
      count, [&](std::size_t) { return make_scratch(); }, body);
}

/// The same with scratch that outlives the call: every thread takes one of `kept`, which grows to
/// their number, calls prepare(scratch) once and puts it back in the end. What an earlier call left
/// in a scratch must not change a result.
template <class Scratch, class Prepare, class Body>
void parallel_for(Index count, std::vector<Scratch>& kept, const Prepare& prepare,
                  const Body& body) {
  const auto threads = static_cast<std::size_t>(thread_count());
  if (kept.size() < threads) kept.resize(threads);
  run_tasks(
      count, [&](std::size_t thread) { return Borrowed<Scratch>(kept[thread], prepare); },
      [&](Index index, Borrowed<Scratch>& scratch) { body(index, scratch.get()); });
}

/// Runs body(index) for every index in [0, count), each once, in any order.
template <class Body>
void parallel_for(Index count, const Body& body) {
  struct Nothing {};
  run_tasks(
      count, [](std::size_t) { return Nothing{}; }, [&](Index index, Nothing&) { body(index); });
}

}  // namespace detail

/// Caps the threads of all work started by this thread while it lives; caps nest, the lowest wins.
class ThreadLimit {
 public:
  /// At most `threads`, and at least one.
  explicit ThreadLimit(int threads) : previous_(detail::thread_limit) {
    detail::thread_limit = std::min(previous_, std::max(1, threads));
  }
  ~ThreadLimit() { detail::thread_limit = previous_; }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int previous_;
};

}  // namespace diffseg
