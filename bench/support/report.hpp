// SPDX-License-Identifier: MIT
// What the benchmarks of stages have in common.
#pragma once

#include "checks.hpp"
#include "run.hpp"
