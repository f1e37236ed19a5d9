// SPDX-License-Identifier: MIT
#include "array_files.hpp"

#include <diffseg/io/error.hpp>
#include <diffseg/io/npz.hpp>
#include <diffseg/io/safetensors.hpp>
#include <memory>
#include <span>
#include <utility>

#if DIFFSEG_WITH_ZLIB
#include <diffseg/io/npz_deflate.hpp>
#endif

#include "memory.hpp"
#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

/// `left` are bytes that may still be unpacked, of whatever file.
diffseg::NpzFile open_npz(diffseg::FileBytes bytes, const fs::path& file,
                          const std::shared_ptr<double>& left) {
#if DIFFSEG_WITH_ZLIB
  return diffseg::NpzFile(
      std::move(bytes), [file, left](std::span<const std::byte> from, std::span<std::byte> to) {
        *left -= static_cast<double>(to.size());
        if (*left >= 0) return diffseg::inflate_zlib(from, to);
        throw diffseg::io_error(message(file.string(), ": payload: unpacks to more than memory ",
                                        "has left, by ", -*left, " bytes; save the arrays with ",
                                        "numpy.savez, or fewer of them"));
      });
#else
  static_cast<void>(file);
  static_cast<void>(left);
  return diffseg::NpzFile(std::move(bytes));
#endif
}

}  // namespace

bool ArrayFiles::reads(const fs::path& file) {
  const fs::path kind = file.extension();
  return kind == ".npy" || kind == ".npz" || kind == ".safetensors";
}

ArrayFiles::ArrayFiles(double most_unpacked)
    : left_(std::make_shared<double>(most_unpacked > 0 ? most_unpacked : spare_memory())) {}

ArrayFiles::OpenFile ArrayFiles::open(const fs::path& file) {
  if (!reads(file)) {
    throw diffseg::io_error(file.string() +
                            ": name: must end in .npy, .npz or .safetensors, or be a single "
                            "manifest (.json); save the attention as one of these");
  }
  watches_.push_back(map_watched(file));
  const auto bytes = Watch::bytes_of(watches_.back());
  if (file.extension() == ".npy") {
    return {{""}, [file, bytes](const std::string& name) {
              if (name.empty()) return diffseg::parse_npy(bytes);
              throw diffseg::io_error(file.string() + ": array: a .npy file holds one array " +
                                      "without a name; leave out '" + name + "'");
            }};
  }
  const auto keep = [](auto archive) -> OpenFile {
    const auto kept = std::make_shared<const decltype(archive)>(std::move(archive));
    return {kept->names(), [kept](const std::string& name) { return kept->read(name); }};
  };
  if (file.extension() == ".npz") return keep(open_npz(bytes, file, left_));
  return keep(diffseg::SafetensorsFile(bytes));
}

const ArrayFiles::OpenFile& ArrayFiles::opened(const fs::path& file) {
  const auto found = files_.find(file);
  return found != files_.end() ? found->second : files_.emplace(file, open(file)).first->second;
}

diffseg::Tensor ArrayFiles::read(const fs::path& file, const std::string& name) {
  return opened(file).read(name);
}

std::vector<std::string> ArrayFiles::names(const fs::path& file) {
  return opened(file).names;
}

}  // namespace cli
