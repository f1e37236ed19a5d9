// SPDX-License-Identifier: MIT
#include "files.hpp"

#include <cerrno>
#include <cstring>
#include <diffseg/io/error.hpp>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <system_error>

#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

std::string system_reason() {
  return errno != 0 ? std::strerror(errno) : "unknown reason";
}

[[noreturn]] void refuse_output(const fs::path& path, const std::string& reason) {
  throw diffseg::io_error(
      message(path.string(), ": cannot be written (", reason, "); choose another place"));
}

/// In the target's folder, so that the rename stays on one file system.
fs::path name_beside(const fs::path& target) {
  std::random_device random;
  return target.string() + "." + std::to_string(random()) + ".tmp";
}

}  // namespace

Bytes read_file(const fs::path& path) {
  std::error_code ignored;
  if (path.empty()) throw std::invalid_argument("photo: name must not be empty");
  if (fs::is_directory(path, ignored)) {
    throw diffseg::io_error(path.string() + ": is a folder; give its photos, as in FOLDER/*.jpg");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  Bytes bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || file.bad()) {
    throw diffseg::io_error(message(path.string(), ": cannot be read (", system_reason(),
                                    "); check the name and its permissions"));
  }
  return bytes;
}

OutputFiles::~OutputFiles() {
  std::error_code ignored;
  for (const auto& [beside, target] : pending_) fs::remove(beside, ignored);
}

void OutputFiles::add(const fs::path& target, const Bytes& bytes) {
  std::error_code error;
  if (target.has_parent_path()) fs::create_directories(target.parent_path(), error);
  if (error) refuse_output(target, error.message());
  if (fs::is_directory(target, error)) refuse_output(target, "a folder of that name exists");
  pending_.emplace_back(name_beside(target), target);
  errno = 0;
  std::ofstream file(pending_.back().first, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) refuse_output(target, system_reason());
}

void OutputFiles::commit() {
  while (!pending_.empty()) {
    const auto& [beside, target] = pending_.back();
    std::error_code error;
    fs::rename(beside, target, error);
    if (error) refuse_output(target, error.message());
    pending_.pop_back();
  }
}

}  // namespace cli
