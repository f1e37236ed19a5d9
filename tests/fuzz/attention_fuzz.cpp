// SPDX-License-Identifier: MIT
// What a folder of attention holds, with a manifest or without one: the bytes are its files, each
// behind its kind and its length.
#include "attention_files.hpp"

#include <unistd.h>

#include <fstream>

#include "fuzz.hpp"
#include "values.hpp"

namespace {

namespace fs = std::filesystem;

/// A folder in memory, emptied again and again, gone at the end.
class Folder {
 public:
  Folder() : path_(base() / ("diffseg_fuzz_" + std::to_string(::getpid()))) {
    fs::create_directory(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    names_.push_back(name);
  }
  void clear() {
    for (const std::string& name : names_) fs::remove(path_ / name);
    names_.clear();
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  static fs::path base() {
    return fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
  }

  fs::path path_;
  std::vector<std::string> names_;
};

void check(const cli::Attention& attention) {
  fuzz::require_true(!attention.self.empty() && attention.weights.size() == attention.self.size() &&
                     attention.cross_weights.size() == attention.cross.size());
  for (const diffseg::Layer& layer : attention.self) layer.check("fuzz");
  for (const diffseg::Layer& layer : attention.cross) layer.check("fuzz");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Folder folder;
  fuzz::Values values(data, size);
  const std::string names[] = {"m.json", "a.npy", "b.npz", "c.safetensors", "d.npy"};
  const diffseg::SkipTokens skip{.first = values.within(0, 7) == 0 ? values.whole() : 0};
  for (const std::string& name : names) {
    const auto length = static_cast<std::size_t>(values.within(0, 1000));
    const std::vector<std::byte> bytes = values.bytes(std::min(length, values.left()));
    if (!bytes.empty())
      folder.write(name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  fuzz::attempt([&] {
    try {
      check(cli::read_attention({folder.path()}, skip));
      fuzz::require_true(!cli::files_of({folder.path()}).empty());
    } catch (const std::invalid_argument&) {  // tokens that are not there
    }
  });
  folder.clear();
  return 0;
}
