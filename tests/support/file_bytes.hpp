// SPDX-License-Identifier: MIT
// Files built by hand, right or wrong, and what their readers say about them.
#pragma once

#include <chrono>
#include <cstdint>
#include <diffseg/io/error.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace support {

/// The lowest `count` bytes of `value`, the lowest first.
inline std::string number(std::uint64_t value, int count) {
  std::string text;
  for (int i = 0; i < count; ++i, value >>= 8) text += static_cast<char>(value & 255);
  return text;
}

/// `bytes` with `patch` written over them from `at` on.
inline std::string patched(std::string bytes, std::size_t at, const std::string& patch) {
  return bytes.replace(at, patch.size(), patch);
}

/// A .npy file of version 1.0 with `dictionary` as its header.
inline std::string npy_file(const std::string& dictionary, const std::string& payload) {
  return std::string("\x93NUMPY\x01\0", 8) + number(dictionary.size(), 2) + dictionary + payload;
}

inline std::string npy_of(const std::string& descr, const std::string& shape,
                          const std::string& payload, const std::string& fortran = "False") {
  return npy_file(
      "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n",
      payload);
}

/// CRC-32, bit by bit.
inline std::uint32_t plain_crc32(const std::string& bytes) {
  std::uint32_t rest = 0xffffffffU;
  for (const char byte : bytes) {
    rest ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? 0xedb88320U : 0U);
  }
  return ~rest;
}

/// A file to be put into an archive.
struct ZipEntry {
  std::string name;
  std::string bytes;  ///< as they are after unpacking
  int method = 0;
  std::string packed = {};  ///< the bytes within the archive when method is not 0
  std::string extra = {};   ///< of the central directory
  int flags = 0;
};

/// An archive and where its parts begin.
struct Zip {
  std::string bytes;
  std::vector<std::size_t> local;    ///< header in front of each member
  std::vector<std::size_t> central;  ///< its entry in the directory
  std::size_t end = 0;               ///< of the directory; the closing record
};

inline Zip zip_of(const std::vector<ZipEntry>& entries) {
  Zip zip;
  std::string directory;
  for (const ZipEntry& entry : entries) {
    const std::string& packed = entry.method == 0 ? entry.bytes : entry.packed;
    const std::string common = number(20, 2) + number(static_cast<std::uint64_t>(entry.flags), 2) +
                               number(static_cast<std::uint64_t>(entry.method), 2) + number(0, 4) +
                               number(plain_crc32(entry.bytes), 4) + number(packed.size(), 4) +
                               number(entry.bytes.size(), 4) + number(entry.name.size(), 2);
    zip.local.push_back(zip.bytes.size());
    zip.central.push_back(directory.size());
    directory += "PK\1\2" + number(20, 2) + common + number(entry.extra.size(), 2) + number(0, 10) +
                 number(zip.bytes.size(), 4) + entry.name + entry.extra;
    zip.bytes += "PK\3\4" + common + number(0, 2) + entry.name + packed;
  }
  for (std::size_t& at : zip.central) at += zip.bytes.size();
  zip.end = zip.bytes.size() + directory.size();
  const std::string closing = "PK\5\6" + number(0, 4) + number(entries.size(), 2) +
                              number(entries.size(), 2) + number(directory.size(), 4) +
                              number(zip.bytes.size(), 4) + number(0, 2);
  zip.bytes += directory + closing;
  return zip;
}

/// A raw deflate stream of one block that is stored as it is (RFC 1951, 3.2.4); < 64 KiB.
inline std::string stored_block(const std::string& bytes) {
  return '\1' + number(bytes.size(), 2) + number(~bytes.size(), 2) + bytes;
}

inline std::string safetensors_of(const std::string& json, const std::string& payload) {
  return number(json.size(), 8) + json + payload;
}

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_text(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// The message of the io_error that `read` throws.
template <class Read>
std::string message_of(const Read& read) {
  try {
    static_cast<void>(read());
  } catch (const diffseg::io_error& error) {
    return error.what();
  }
  return "was read";
}

/// A folder of its own, gone at the end.
struct Folder {
  std::filesystem::path path;
  Folder() : path(std::filesystem::temp_directory_path() / unique()) {
    std::filesystem::create_directory(path);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
  static std::string unique() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    return "diffseg_io_test_" + std::to_string(now);
  }
};

}  // namespace support
