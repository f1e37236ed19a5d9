// SPDX-License-Identifier: MIT
// What a file that cannot be read or written ends with.
#pragma once

#include <stdexcept>

namespace diffseg {

/// A file could not be read or written; the message names file, field and remedy.
class io_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace diffseg
