// SPDX-License-Identifier: MIT
// Stands in for malloc, so that a test sees what the whole process asks for. For a program of its
// own: include once. Linux with glibc. operator new and delete go through these as well.
#pragma once

#include <cerrno>
#include <cstddef>

namespace support {

/// Whether `bytes` that are asked for may be had; false: there is no memory.
bool may_take(std::size_t bytes);
/// What the test does about `bytes` that were asked for and are now at `place`.
void taken(void* place, std::size_t bytes);
/// What it does about `place`, which may be null, before it is given back.
void given(void* place);

namespace detail {

inline void* noted(void* place, std::size_t bytes) {
  taken(place, bytes);
  return place;
}

}  // namespace detail

}  // namespace support

extern "C" {

void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t number, std::size_t bytes);
void* __libc_realloc(void* old, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void __libc_free(void* place);

void* malloc(std::size_t bytes) {
  if (!support::may_take(bytes)) return nullptr;
  return support::detail::noted(__libc_malloc(bytes), bytes);
}
void* calloc(std::size_t number, std::size_t bytes) {
  if (!support::may_take(number * bytes)) return nullptr;
  return support::detail::noted(__libc_calloc(number, bytes), number * bytes);
}
void* realloc(void* old, std::size_t bytes) {
  if (!support::may_take(bytes)) return nullptr;
  support::given(old);
  return support::detail::noted(__libc_realloc(old, bytes), bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  if (!support::may_take(bytes)) return nullptr;
  return support::detail::noted(__libc_memalign(alignment, bytes), bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return memalign(alignment, bytes);
}
int posix_memalign(void** place, std::size_t alignment, std::size_t bytes) {
  void* const found = memalign(alignment, bytes);
  if (found == nullptr) return ENOMEM;
  *place = found;
  return 0;
}
void free(void* place) {
  support::given(place);
  __libc_free(place);
}

}  // extern "C"
