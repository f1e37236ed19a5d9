// SPDX-License-Identifier: MIT
#include "temporary.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <mutex>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "files.hpp"
#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = ".diffseg-";
constexpr std::string_view suffix = ".tmp";

/// The temporary files that there are now.
struct Registry {
  std::mutex mutex;
  std::set<fs::path> paths;
  bool closed = false;  // the process is about to end
};

Registry& registry() {
  static Registry instance;
  return instance;
}

/// Where a process number means something: this machine, and in it this table of processes.
std::string own_place() {
  std::array<char, 256> host{};
  std::array<char, 256> table{};
  (void)::gethostname(host.data(), host.size() - 1);
  (void)::readlink("/proc/self/ns/pid", table.data(), table.size() - 1);
  const auto hash = std::hash<std::string>{}(std::string(host.data()) + '/' + table.data());
  std::array<char, 17> text{};
  (void)std::snprintf(text.data(), text.size(), "%08lx",
                      static_cast<unsigned long>(hash & 0xffffffffU));
  return text.data();
}

/// PLACE and PID in the name of a temporary file; a PID of 0: it is none.
std::pair<std::string_view, pid_t> maker_of(std::string_view name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return {};
  name.remove_prefix(prefix.size());
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos) return {};
  pid_t pid = 0;
  std::from_chars(name.data() + dash + 1, name.data() + name.size(), pid);
  return {name.substr(0, dash), pid};
}

bool is_old(const fs::directory_entry& entry) {
  std::error_code error;
  const auto written = entry.last_write_time(error);
  return !error && fs::file_time_type::clock::now() - written > std::chrono::hours(1);
}

/// No process writes it any more.
bool is_left(const fs::directory_entry& entry, const std::string& here) {
  const std::string name = entry.path().filename().string();
  const auto [place, pid] = maker_of(name);
  if (pid <= 0) return false;
  if (place != here) return is_old(entry);
  if (pid != ::getpid()) return ::kill(pid, 0) != 0 && errno == ESRCH;
  const std::lock_guard lock(registry().mutex);  // ours, or an earlier one's of the same number
  return std::none_of(registry().paths.begin(), registry().paths.end(),
                      [&](const fs::path& own) { return own.filename() == name; });
}

}  // namespace

TemporaryFile::TemporaryFile(const fs::path& folder) {
  static const std::string here = own_place();
  static std::atomic<unsigned> count{0};
  path_ = (folder.empty() ? fs::path(".") : folder) /
          message(prefix, here, '-', ::getpid(), '-', ++count, suffix);
}

TemporaryFile::TemporaryFile(TemporaryFile&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

TemporaryFile::~TemporaryFile() {
  if (path_.empty()) return;
  const std::lock_guard lock(registry().mutex);
  if (registry().paths.erase(path_) == 0) return;
  std::error_code ignored;
  fs::remove(path_, ignored);
}

int TemporaryFile::open() const {
  const std::lock_guard lock(registry().mutex);
  if (registry().closed) {
    errno = EINTR;
    return -1;
  }
  registry().paths.insert(path_);
  return ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

int TemporaryFile::rename_to(const fs::path& target) {
  const std::lock_guard lock(registry().mutex);
  if (registry().closed) return EINTR;
  if (std::rename(path_.c_str(), target.c_str()) != 0) return errno;
  registry().paths.erase(path_);
  path_.clear();
  return 0;
}

void remove_leftovers(const fs::path& folder) noexcept try {
  const std::string here = own_place();
  std::error_code error;
  fs::directory_iterator entries(folder.empty() ? fs::path(".") : folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code ignored;
    if (is_left(*entries, here)) fs::remove(entries->path(), ignored);
  }
} catch (const std::exception&) {  // there was no memory for a name: the next run tries again
}

void abandon_files() noexcept {
  const std::lock_guard lock(registry().mutex);
  registry().closed = true;
  for (const fs::path& path : registry().paths) ::unlink(path.c_str());
  registry().paths.clear();
}

}  // namespace cli
