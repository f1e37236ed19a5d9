// SPDX-License-Identifier: MIT
// Files that are written whole, and what is left of processes that were killed.
#include "files.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "mapped.hpp"
#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "temporary.hpp"

namespace {

namespace fs = std::filesystem;
using cli::Bytes;
using support::Contains;

/// An empty folder that goes with the test.
class Scratch {
 public:
  Scratch() : path_(fs::temp_directory_path() / ("diffseg_files_" + std::to_string(::getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] fs::path operator/(const std::string& name) const { return path_ / name; }
  [[nodiscard]] const fs::path& path() const { return path_; }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(path_))
      found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  fs::path path_;
};

const Bytes one_byte{'1'};
const Bytes two_bytes{'2', '2'};

/// A process that has a temporary file in `folder` and waits.
pid_t start_writer(const fs::path& folder) {
  int ready[2];
  if (::pipe(ready) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    const cli::TemporaryFile file(folder);
    const char opened = file.open() >= 0 ? '1' : '0';
    if (::write(ready[1], &opened, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char opened = '0';
  if (::read(ready[0], &opened, 1) != 1) opened = '0';
  ::close(ready[0]);
  ::close(ready[1]);
  return opened == '1' ? child : -1;
}

}  // namespace

TEST_CASE("all files or none", "[files][unit]") {
  const Scratch folder;
  cli::write_files({{folder / "sub/a", one_byte}, {folder / "b", two_bytes}});
  REQUIRE(cli::read_file(folder / "sub/a") == one_byte);
  REQUIRE(cli::read_file(folder / "b") == two_bytes);
  fs::create_directories(folder / "c");
  REQUIRE_THROWS_WITH(cli::write_files({{folder / "b", one_byte}, {folder / "c", one_byte}}),
                      Contains("a folder of that name exists"));
  REQUIRE(cli::read_file(folder / "b") == two_bytes);
  REQUIRE_THROWS_WITH(
      cli::write_files({{folder / "b", one_byte}, {folder / std::string(256, 'n'), one_byte}}),
      Contains("has 256 bytes, at most 255"));
  REQUIRE(cli::read_file(folder / "b") == two_bytes);
  cli::write_files({{folder / std::string(255, 'n'), one_byte}});
  REQUIRE(folder.names() == std::vector<std::string>{"b", "c", std::string(255, 'n'), "sub"});
}

TEST_CASE("files of every size and a pipe are read", "[files][law]") {
  const Scratch folder;
  for (const std::size_t size : {0U, 1U, 65535U, 65536U, 65537U, 1000000U}) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(i * 7 + i / 256);
    cli::write_files({{folder / "file", bytes}});
    REQUIRE(cli::read_file(folder / "file") == bytes);
  }
  REQUIRE(cli::read_file("/proc/self/stat").size() > 10);  // says that it has no bytes
}

TEST_CASE("what killed processes left is removed but not what others write", "[files][unit]") {
  const Scratch folder;
  const pid_t alive = start_writer(folder.path());
  const pid_t dead = start_writer(folder.path());
  REQUIRE(alive > 0);
  REQUIRE(dead > 0);
  ::kill(dead, SIGKILL);
  ::waitpid(dead, nullptr, 0);
  cli::write_files({{folder / "mine.tmp", one_byte}, {folder / ".diffseg-x.tmp", one_byte}});
  const cli::TemporaryFile own(folder.path());
  REQUIRE(own.open() >= 0);
  REQUIRE(folder.names().size() == 5);
  cli::remove_leftovers(folder.path());
  REQUIRE(folder.names().size() == 4);
  for (const std::string& name : folder.names())
    REQUIRE(name.find('-' + std::to_string(dead) + '-') == std::string::npos);
  ::kill(alive, SIGKILL);
  ::waitpid(alive, nullptr, 0);
  cli::remove_leftovers(folder.path());
  REQUIRE(folder.names().size() == 3);
}

TEST_CASE("where nothing can be made", "[files][unit]") {
  const Scratch folder;
  cli::write_files({{folder / "file", one_byte}});
  REQUIRE(cli::why_unwritable(folder / "new/er").empty());
  REQUIRE(cli::why_unwritable("").empty());
  REQUIRE(cli::why_unwritable(folder / "file/below") == "Not a directory");
}

TEST_CASE("a file that shrinks while it is mapped reads as zeros", "[files][unit]") {
  const Scratch folder;
  cli::write_files({{folder / "a", Bytes(20000, 'x')}, {folder / "b", Bytes(20000, 'x')}});
  const auto shrinks = cli::map_watched(folder / "a");
  const auto stays = cli::map_watched(folder / "b");
  fs::resize_file(folder / "a", 0);
  const auto count = [](const auto& watch, int letter) {
    const diffseg::FileBytes file = cli::Watch::bytes_of(watch);
    return std::count(file.bytes.begin(), file.bytes.end(), static_cast<std::byte>(letter));
  };
  REQUIRE_FALSE(shrinks->is_cut_off());
  REQUIRE(count(shrinks, 0) == 20000);
  REQUIRE(shrinks->is_cut_off());
  REQUIRE(count(stays, 'x') == 20000);
  REQUIRE_FALSE(stays->is_cut_off());
}
