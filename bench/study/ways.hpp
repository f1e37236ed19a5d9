// SPDX-License-Identifier: MIT
// The approximations: for each group an exact way to the labels of a case, and cheaper ones.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cases.hpp"

namespace study {

/// One way from a case to its labels; every call does all that is timed.
struct Way {
  std::string name;
  double input_bytes = 0;
  std::function<void(Labels&)> run;
};

/// Ways that are compared with one exact one.
struct Group {
  std::string name;
  std::string exact;  ///< what the exact way is, and what is timed
  /// The exact way first; none when the case does not suit the group.
  std::function<std::vector<Way>(const Case&)> ways;
};

/// All groups, in the order of the report.
[[nodiscard]] const std::vector<Group>& groups();

}  // namespace study
