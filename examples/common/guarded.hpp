// SPDX-License-Identifier: MIT
// Calls of C libraries that leave by a jump where they fail.
#pragma once

#include <array>
#include <csetjmp>
#include <cstdio>
#include <diffseg/io/error.hpp>
#include <new>
#include <string_view>

namespace cli {

/// The remedy for a file that is not whole.
inline constexpr const char* copy_again = "copy or download it again";

/// What libpng says where it has no memory, of itself or of zlib.
[[nodiscard]] inline bool is_about_memory(std::string_view reason) {
  return reason.find("ut of memory") != std::string_view::npos ||
         reason.find("nsufficient memory") != std::string_view::npos;
}

/// Where a library that failed jumps to, and what it said.
class Guard {
 public:
  /// Runs `work`, whose frames must hold nothing to be destroyed; a failure of the library in it is
  /// a diffseg::io_error, or std::bad_alloc.
  template <class Work>
  [[gnu::noinline]] void operator()(const Work& work) {
    if (setjmp(jump_) != 0) {
      running_ = false;
      if (out_of_memory_) throw std::bad_alloc();
      throw diffseg::io_error(reason_.data());
    }
    running_ = true;
    work();
    running_ = false;
  }
  /// Something is running that fail may end.
  [[nodiscard]] bool is_running() const { return running_; }

  /// Ends the running `work` with what is said about the file: `what` (`detail`); `remedy`.
  [[noreturn]] void fail(const char* what, const char* detail, const char* remedy) {
    std::snprintf(reason_.data(), reason_.size(), "%s (%s); %s", what, detail, remedy);
    std::longjmp(jump_, 1);
  }
  /// Ends it for want of memory, which is no fault of the file.
  [[noreturn]] void fail_for_memory() {
    out_of_memory_ = true;
    std::longjmp(jump_, 1);
  }

 private:
  std::jmp_buf jump_ = {};
  std::array<char, 400> reason_ = {};
  bool running_ = false;
  bool out_of_memory_ = false;
};

}  // namespace cli
