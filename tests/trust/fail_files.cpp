// SPDX-License-Identifier: MIT
// Preloaded into a program (LD_PRELOAD), lets its call number TRUST_FAIL_AT of those that change
// files fail with the error TRUST_FAIL_ERROR, counted from 1; with TRUST_FAIL_ON=1 all that need
// room behind it, too. A write that fails has written half. TRUST_CUT: a file cut.* is cut to so
// many bytes when it is mapped. A byte on the descriptor TRUST_TOLD says that it happened. Linux
// with glibc; built by faults.py.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

long number_of(const char* variable, long otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtol(text, nullptr, 10);
}

std::atomic<long> asked{0};
std::atomic<bool> cut{false};
const long fail_at = number_of("TRUST_FAIL_AT", 0);
const long cut_to = number_of("TRUST_CUT", -1);
const bool and_on = number_of("TRUST_FAIL_ON", 0) != 0;
const int fail_error = static_cast<int>(number_of("TRUST_FAIL_ERROR", ENOSPC));
const int told = static_cast<int>(number_of("TRUST_TOLD", -1));

void tell() {
  if (told >= 0 && ::syscall(SYS_write, told, "x", 1) < 0) std::abort();
}

/// `needs_room`: a full disk refuses it.
bool is_refused(bool needs_room) {
  if (fail_at == 0) return false;
  const long number = ++asked;
  if (number == fail_at) tell();
  const bool refused = number == fail_at || (and_on && needs_room && number > fail_at);
  if (refused) errno = fail_error;
  return refused;
}

bool is_file(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

bool is_chosen(int descriptor) {
  char link[64];
  char path[4096] = {};
  std::snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
  return ::readlink(link, path, sizeof(path) - 1) > 0 && std::strstr(path, "/cut.") != nullptr;
}

/// The function that stands behind ours.
template <class Function>
Function* real(Function* /*type*/, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

int open_or_not(const char* name, const char* path, int flags, mode_t mode) {
  if ((flags & O_CREAT) != 0 && is_refused(true)) return -1;
  return real(static_cast<int (*)(const char*, int, ...)>(nullptr), name)(path, flags, mode);
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_or_not("open", path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_or_not("open64", path, flags, mode);
}
ssize_t write(int file, const void* bytes, size_t count) {
  if (!is_file(file)) return ::syscall(SYS_write, file, bytes, count);
  if (!is_refused(true)) return ::syscall(SYS_write, file, bytes, count);
  const int error = errno;
  if (count > 1) (void)!::syscall(SYS_write, file, bytes, count / 2);
  errno = error;
  return -1;
}
int close(int file) {
  const int flags = static_cast<int>(::syscall(SYS_fcntl, file, F_GETFL));
  const bool written = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && is_file(file);
  const bool refused = written && is_refused(true);
  const int error = errno;
  const auto status = static_cast<int>(::syscall(SYS_close, file));
  if (!refused) return status;
  errno = error;
  return -1;
}
int rename(const char* from, const char* to) noexcept {
  if (is_refused(true)) return -1;
  return ::renameat(AT_FDCWD, from, AT_FDCWD, to);
}
int mkdir(const char* path, mode_t mode) noexcept {
  if (is_refused(true)) return -1;
  return ::mkdirat(AT_FDCWD, path, mode);
}
int unlink(const char* path) noexcept {
  if (is_refused(false)) return -1;
  return ::unlinkat(AT_FDCWD, path, 0);
}
int remove(const char* path) noexcept {
  if (is_refused(false)) return -1;
  return real(static_cast<int (*)(const char*)>(nullptr), "remove")(path);
}
void* mmap(void* at, size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  void* const place =
      reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, file, offset));
  // Mapped as MappedFile does; libraries are private.
  if (cut_to >= 0 && (flags & MAP_SHARED) != 0 && !cut && is_chosen(file)) {
    char path[64];
    std::snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    if (::truncate(path, cut_to) != 0) std::abort();
    cut = true;
    tell();
  }
  return place;
}

}  // extern "C"
