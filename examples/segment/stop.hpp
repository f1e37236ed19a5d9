// SPDX-License-Identifier: MIT
// SIGINT and SIGTERM as a wish to stop.
#pragma once

namespace cli {

/// From now on the first SIGINT or SIGTERM is a wish that stop_signal() tells; the second ends the
/// process at once, its temporary files removed. A signal that is ignored stays so. What is written
/// to a closed pipe or beyond a limit fails instead of ending the process. Call it before any
/// thread is started.
void watch_signals();

/// The signal that asks to stop; 0: none yet.
[[nodiscard]] int stop_signal();

/// What check_stop ends a photo with.
struct Stopped {};

/// Throws Stopped once a signal has asked to stop.
void check_stop();

}  // namespace cli
