// SPDX-License-Identifier: MIT
// The pictures.
#pragma once

#include <string>
#include <vector>

#include "table.hpp"

namespace study {

/// Time against agreement, a panel for each source, one point for each way that is not exact.
[[nodiscard]] std::string draw_study(const Study& study);

/// Milliseconds of some programs.
struct Bars {
  struct Row {
    std::string name;
    double milliseconds = 0;  ///< > 0
  };
  std::string title, machine, command;
  std::vector<Row> rows;
};

/// Horizontal bars along a logarithmic scale.
[[nodiscard]] std::string draw_bars(const Bars& bars);

}  // namespace study
