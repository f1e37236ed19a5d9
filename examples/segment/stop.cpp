// SPDX-License-Identifier: MIT
#include "stop.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "files.hpp"

namespace cli {

namespace {

std::atomic<int> asked{0};

bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

/// Waits for the signals in a thread of its own, where everything may be called.
void wait_for(sigset_t signals) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) return;
    if (asked.exchange(signal) == 0) continue;
    abandon_files();
    _exit(128 + signal);
  }
}

}  // namespace

void watch_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM}) {
    if (!is_ignored(signal)) sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(wait_for, signals).detach();
}

int stop_signal() {
  return asked.load();
}

void check_stop() {
  if (stop_signal() != 0) throw Stopped();
}

}  // namespace cli
