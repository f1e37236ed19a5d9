// SPDX-License-Identifier: MIT
#include "files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "temporary.hpp"
#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void refuse_input(const fs::path& path, int error) {
  throw diffseg::io_error(message(path.string(), ": cannot be read (", std::strerror(error),
                                  "); check the name and its permissions"));
}

[[noreturn]] void refuse_output(const fs::path& path, int error) {
  const std::string reason =
      message(path.string(), ": cannot be written (", std::strerror(error), "); ");
  if (error == ENOSPC || error == EDQUOT)
    throw DiskFull(reason + "make room, or choose another place");
  throw diffseg::io_error(reason + "choose another place");
}

/// A descriptor that is closed, whatever happens.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }
  /// Closes it; 0, or why what was written may not be there.
  int close() { return ::close(std::exchange(number_, -1)) == 0 ? 0 : errno; }

 private:
  int number_;
};

void check_size(std::size_t bytes, std::size_t most, const fs::path& path) {
  if (bytes <= most) return;
  throw diffseg::io_error(message(path.string(), ": is too large, at most ", most,
                                  " bytes are read as a whole; check what it is"));
}

/// What is left of `file`, of which `bytes` has room for what is foreseen.
void read_rest(int file, Bytes& bytes, const fs::path& path, std::size_t most) {
  std::size_t filled = 0;
  for (;;) {
    check_size(filled, most, path);
    if (filled == bytes.size())
      bytes.resize(std::min(std::max<std::size_t>(1U << 16U, 2 * bytes.size()), most + 1));
    const ssize_t count = ::read(file, bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) refuse_input(path, errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  bytes.resize(filled);
}

/// 0, or why not all of it is written.
int write_all(int file, const Bytes& bytes) {
  for (std::size_t begin = 0; begin < bytes.size();) {
    const ssize_t count = ::write(file, bytes.data() + begin, bytes.size() - begin);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    begin += static_cast<std::size_t>(count);
  }
  return 0;
}

/// What can be refused before anything is written.
void check_target(const fs::path& target) {
  constexpr std::size_t longest = 255;  // bytes, of every common file system
  std::error_code error;
  const std::string name = target.filename().string();
  if (name.size() > longest) {
    throw diffseg::io_error(message(target.string(), ": cannot be written (its name has ",
                                    name.size(), " bytes, at most ", longest,
                                    " are possible); give the input a shorter name"));
  }
  if (target.has_parent_path()) fs::create_directories(target.parent_path(), error);
  if (error) refuse_output(target, error.value());
  if (fs::is_directory(target, error)) {
    throw diffseg::io_error(target.string() +
                            ": cannot be written (a folder of that name exists); choose another "
                            "place");
  }
}

void write_beside(const TemporaryFile& beside, const OutputFile& file) {
  Descriptor descriptor(beside.open());
  int error = descriptor.get() < 0 ? errno : write_all(descriptor.get(), file.bytes);
  if (descriptor.get() >= 0) {
    const int closed = descriptor.close();
    if (error == 0) error = closed;
  }
  if (error != 0) refuse_output(file.path, error);
}

}  // namespace

Bytes read_file(const fs::path& path, std::size_t most) {
  std::error_code ignored;
  if (path.empty()) throw std::invalid_argument("photo: name must not be empty");
  if (fs::is_directory(path, ignored)) {
    throw diffseg::io_error(path.string() + ": is a folder; give its photos, as in FOLDER/*.jpg");
  }
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) refuse_input(path, errno);
  const auto size = fs::file_size(path, ignored);
  if (!ignored) check_size(static_cast<std::size_t>(size), most, path);
  // One byte more than there is, so that the end is seen without growing.
  Bytes bytes(ignored ? 0 : static_cast<std::size_t>(size) + 1);
  read_rest(file.get(), bytes, path, most);
  return bytes;
}

Bytes read_descriptor(int file, const fs::path& name, std::size_t most) {
  Bytes bytes;
  read_rest(file, bytes, name, most);
  return bytes;
}

void write_files(const std::vector<OutputFile>& files) {
  for (const OutputFile& file : files) check_target(file.path);
  std::vector<TemporaryFile> beside;
  beside.reserve(files.size());
  for (const OutputFile& file : files) {
    beside.emplace_back(file.path.parent_path());
    write_beside(beside.back(), file);
  }
  if (files.size() > 1) {
    std::error_code error;
    fs::remove(files.back().path, error);
    if (error) refuse_output(files.back().path, error.value());
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    const int error = beside[i].rename_to(files[i].path);
    if (error != 0) refuse_output(files[i].path, error);
  }
}

std::string why_unwritable(const fs::path& folder) {
  std::error_code error;
  std::error_code ignored;
  fs::path existing = fs::absolute(folder.empty() ? "." : folder, error);
  if (error) return error.message();
  while (!fs::exists(fs::symlink_status(existing, ignored)) && existing.has_relative_path())
    existing = existing.parent_path();
  if (!fs::is_directory(existing, ignored)) return std::strerror(ENOTDIR);
  return ::access(existing.c_str(), W_OK | X_OK) == 0 ? "" : std::strerror(errno);
}

}  // namespace cli
