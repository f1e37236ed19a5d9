// SPDX-License-Identifier: MIT
// Stores past the caches, for what is larger than they are and not read again soon: an ordinary
// store first reads the line that it changes.
#pragma once

#include <cstdint>

#if defined(__SSE2__) && defined(__GNUC__)
#include <immintrin.h>
#endif

#include "diffseg/core/packet.hpp"

namespace diffseg::detail {

/// Whether a packet of this vector unit can go past the caches.
template <class Scalar>
inline constexpr bool can_stream =
#if defined(__SSE2__) && defined(__GNUC__)
    packet_size<Scalar> > 1;
#else
    false;
#endif

/// Whether rows of `count` numbers from `row` on may be stored by stream_packet: all of them begin
/// at a multiple of a packet's bytes.
template <class Scalar>
[[nodiscard]] bool is_streamable(const Scalar* row, Index count) {
  return can_stream<Scalar> && count % packet_size<Scalar> == 0 &&
         reinterpret_cast<std::uintptr_t>(row) % sizeof(Packet<Scalar>) == 0;
}

#if defined(__SSE2__) && defined(__GNUC__)
inline void stream_bytes(float* to, const __m128& p) {
  _mm_stream_ps(to, p);
}
inline void stream_bytes(double* to, const __m128d& p) {
  _mm_stream_pd(to, p);
}
#ifdef __AVX__
inline void stream_bytes(float* to, const __m256& p) {
  _mm256_stream_ps(to, p);
}
inline void stream_bytes(double* to, const __m256d& p) {
  _mm256_stream_pd(to, p);
}
#endif
#ifdef __AVX512F__
inline void stream_bytes(float* to, const __m512& p) {
  _mm512_stream_ps(to, p);
}
inline void stream_bytes(double* to, const __m512d& p) {
  _mm512_stream_pd(to, p);
}
#endif
#endif

/// to [packet] = p. Other threads see it after finish_streaming().
template <class Scalar>
void stream_packet(Scalar* to, const Packet<Scalar>& p) {
  if constexpr (can_stream<Scalar>) {
    stream_bytes(to, p);
  } else {
    Eigen::internal::pstore(to, p);
  }
}

/// Ends a thread's run of stream_packet.
inline void finish_streaming() {
#if defined(__SSE2__) && defined(__GNUC__)
  _mm_sfence();
#endif
}

}  // namespace diffseg::detail
