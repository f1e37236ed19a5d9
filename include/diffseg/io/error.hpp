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

/// The same where a sound file holds something else than numbers that are read here: texts, Python
/// objects, numbers of eight bits. Its other arrays may be read.
class type_error : public io_error {
 public:
  using io_error::io_error;
};

}  // namespace diffseg
