// SPDX-License-Identifier: MIT
#include <diffseg/core/parallel.hpp>

#include "support/catch.hpp"

#if __has_include(<unistd.h>) && __has_include(<sys/wait.h>) && defined(_OPENMP)

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

using namespace diffseg;

namespace {

Index sum_of_loop() {
  std::atomic<Index> sum{0};
  detail::parallel_for(1000, [&](Index i) { sum += i; });
  return sum;
}

/// What `child` answers in a forked process, 0 .. 255; -1 when it does not within ten seconds.
template <class Child>
int answer_of(const Child& child) {
  const pid_t id = ::fork();
  if (id == 0) ::_exit(child());
  for (int i = 0; i < 1000; ++i) {
    int status = 0;
    if (::waitpid(id, &status, WNOHANG) == id) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ::kill(id, SIGKILL);
  ::waitpid(id, nullptr, 0);
  return -1;
}

}  // namespace

TEST_CASE("a forked child answers after its parent used threads and so does its own child",
          "[fork][unit]") {
  const ThreadLimit two(2);
  REQUIRE(sum_of_loop() == 499500);
  const auto child = [] {
    if (sum_of_loop() != 499500 || detail::thread_count() != 1) return 1;
    return answer_of([] { return sum_of_loop() == 499500 ? 7 : 2; });
  };
  REQUIRE(answer_of(child) == 7);
  REQUIRE(detail::thread_count() == 2);  // the parent keeps its own
  REQUIRE(sum_of_loop() == 499500);
}

#endif
