// SPDX-License-Identifier: MIT
// Photos in, label and overlay PNGs out. Everything DiffSeg is in work.cpp.
#include "batch.hpp"
#include "ending.hpp"
#include "options.hpp"
#include "stop.hpp"

int main(int argc, char** argv) try {
  const auto parsed = cli::parse_options(argc, argv);
  if (const auto* status = std::get_if<cli::ExitStatus>(&parsed)) return *status;
  cli::watch_signals();
  return cli::run_batch(std::get<cli::Options>(parsed));
} catch (...) {
  return cli::end_with_exception("segment");
}
