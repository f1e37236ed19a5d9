// SPDX-License-Identifier: MIT
// Calls of C libraries that leave by a jump where they fail.
#pragma once

#include <array>
#include <csetjmp>
#include <cstdio>
#include <diffseg/io/error.hpp>

namespace cli {

/// The remedy for a file that is not whole.
inline constexpr const char* copy_again = "copy or download it again";

/// Where a library that failed jumps to, and what it said.
class Guard {
 public:
  /// Runs `work`, whose frames must hold nothing to be destroyed; a failure of the library in it is
  /// a diffseg::io_error.
  template <class Work>
  [[gnu::noinline]] void operator()(const Work& work) {
    if (setjmp(jump_) != 0) throw diffseg::io_error(reason_.data());
    work();
  }

  /// Ends the running `work` with what is said about the file: `what` (`detail`); `remedy`.
  [[noreturn]] void fail(const char* what, const char* detail, const char* remedy) {
    std::snprintf(reason_.data(), reason_.size(), "%s (%s); %s", what, detail, remedy);
    std::longjmp(jump_, 1);
  }

 private:
  std::jmp_buf jump_ = {};
  std::array<char, 400> reason_ = {};
};

}  // namespace cli
