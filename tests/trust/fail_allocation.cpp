// SPDX-License-Identifier: MIT
// Preloaded into a program (LD_PRELOAD), lets its allocation number TRUST_FAIL_AT fail, of those of
// more than TRUST_FAIL_ABOVE bytes, counted from 1; with TRUST_FAIL_ON=1 all behind it, too. A byte
// on the descriptor TRUST_TOLD says that it did. Linux with glibc; built by out_of_memory.py.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

namespace {

long number_of(const char* variable, long otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtol(text, nullptr, 10);
}

std::atomic<long> fail_at{0};  // 0: not yet, or not at all
std::atomic<long> asked{0};
std::atomic<bool> reached{false};
long above = 1024;
bool and_on = false;
int told = -1;

// What the loader and other constructors ask for before this is no business of the program's.
[[gnu::constructor]] void begin() {
  above = number_of("TRUST_FAIL_ABOVE", above);
  and_on = number_of("TRUST_FAIL_ON", 0) != 0;
  told = static_cast<int>(number_of("TRUST_TOLD", -1));
  fail_at = number_of("TRUST_FAIL_AT", 0);
}

bool is_refused(std::size_t bytes) {
  const long at = fail_at.load(std::memory_order_relaxed);
  if (at == 0 || bytes <= static_cast<std::size_t>(above)) return false;
  const long number = ++asked;
  if (number == at) reached = true;
  if (number == at && told >= 0 && ::write(told, "x", 1) < 0) std::abort();
  const bool refused = number == at || (and_on && number > at);
  if (refused) errno = ENOMEM;
  return refused;
}

}  // namespace

extern "C" {

/// For programs that are to run undisturbed at first, as an interpreter: counting begins now.
void trust_fail_at(long at) {
  asked = 0;
  if (at != 0) reached = false;
  fail_at = at;
}
/// Whether it was asked for since then.
int trust_reached() {
  return reached ? 1 : 0;
}

void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t number, std::size_t bytes);
void* __libc_realloc(void* old, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  return is_refused(bytes) ? nullptr : __libc_malloc(bytes);
}
void* calloc(std::size_t number, std::size_t bytes) {
  return is_refused(number * bytes) ? nullptr : __libc_calloc(number, bytes);
}
void* realloc(void* old, std::size_t bytes) {
  return is_refused(bytes) ? nullptr : __libc_realloc(old, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  return is_refused(bytes) ? nullptr : __libc_memalign(alignment, bytes);
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
void* mmap(void* at, std::size_t bytes, int protection, int flags, int file,
           off_t offset) noexcept {
  if (is_refused(bytes)) return MAP_FAILED;
  return reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, file, offset));
}

}  // extern "C"
