// SPDX-License-Identifier: MIT
// Numbers below the smallest normal one (1.2e-38 as float) are what soft-max makes of cells far
// apart. Some processors leave their fast path for every packet that holds one.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace diffseg::detail {

/// What this thread's floating point unit does with subnormal numbers, among other things: x86's
/// MXCSR, Arm's FPCR; 0 elsewhere.
[[nodiscard]] inline std::uint64_t float_control() {
#if defined(__SSE2__)
  return _mm_getcsr();
#elif defined(__aarch64__) && defined(__GNUC__)
  std::uint64_t control = 0;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(control));
  return control;
#else
  return 0;
#endif
}

/// Gives this thread's floating point unit what float_control() told.
inline void set_float_control(std::uint64_t control) {
#if defined(__SSE2__)
  _mm_setcsr(static_cast<unsigned>(control));
#elif defined(__aarch64__) && defined(__GNUC__)
  __asm__ __volatile__("msr fpcr, %0" : : "r"(control));
#else
  static_cast<void>(control);
#endif
}

/// What makes zeros of subnormal numbers, as they are read and as they are written.
#if defined(__SSE2__)
inline constexpr std::uint64_t flush_flags = 0x8040;
#else
inline constexpr std::uint64_t flush_flags = std::uint64_t{1} << 24;
#endif

/// While it lives, this thread reads and writes zeros for subnormal numbers; afterwards what it did
/// before. Rounding, and the exceptions that were raised, are nothing it touches. Maps do not
/// change: their floor is 1e-30. Nothing happens on processors other than x86 and 64-bit Arm.
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(float_control() & flush_flags) {
    if (before_ != flush_flags) set_float_control(float_control() | flush_flags);
  }
  ~FlushSubnormals() {
    if (before_ != flush_flags) set_float_control((float_control() & ~flush_flags) | before_);
  }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  std::uint64_t before_;
};

}  // namespace diffseg::detail
