// SPDX-License-Identifier: MIT
// Subnormal numbers as a model's soft-max leaves them: the library's threads make zeros of them.
#pragma once

#include <diffseg/core/subnormals.hpp>

namespace support {

/// While it lives, this thread computes subnormal numbers, in a parallel region too.
class KeepSubnormals {
 public:
  KeepSubnormals() : before_(diffseg::detail::float_control()) {
    diffseg::detail::set_float_control(before_ & ~diffseg::detail::flush_flags);
  }
  ~KeepSubnormals() { diffseg::detail::set_float_control(before_); }
  KeepSubnormals(const KeepSubnormals&) = delete;
  KeepSubnormals& operator=(const KeepSubnormals&) = delete;

 private:
  std::uint64_t before_;
};

}  // namespace support
