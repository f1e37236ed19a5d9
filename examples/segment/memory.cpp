// SPDX-License-Identifier: MIT
#include "memory.hpp"

#include <webp/decode.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "photo_io.hpp"
#include "picture_format.hpp"

namespace cli {

using diffseg::GridSize;
using diffseg::Index;

namespace {

using Span = std::span<const unsigned char>;

Index big_endian(Span bytes, std::size_t at, std::size_t count) {
  Index value = 0;
  for (std::size_t i = 0; i < count; ++i) value = 256 * value + bytes[at + i];
  return value;
}

/// Of the first frame of a JPEG; {}: there is none.
GridSize jpeg_size(Span file) {
  std::size_t at = 2;
  while (at + 9 <= file.size() && file[at] == 0xff) {
    const unsigned char marker = file[at + 1];
    const bool frame =
        marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) return {big_endian(file, at + 5, 2), big_endian(file, at + 7, 2)};
    at += marker == 0xff ? 1 : 2 + static_cast<std::size_t>(big_endian(file, at + 2, 2));
  }
  return {};
}

GridSize webp_size(Span file) {
  int width = 0;
  int height = 0;
  const bool told = WebPGetInfo(file.data(), file.size(), &width, &height) != 0;
  return told ? GridSize{height, width} : GridSize{};
}

/// What the file says, without a look at the rest; where it says nothing a guess at the most. What
/// is larger than photos may be is scaled down to that.
Index pixels_of(Span file) {
  GridSize size;
  if (file.size() > 24 && file[0] == 0x89) {
    size = {big_endian(file, 20, 4), big_endian(file, 16, 4)};
  } else if (file.size() > 2 && file[0] == 0xff) {
    size = jpeg_size(file);
  } else if (picture_format(file) == "WebP") {
    size = webp_size(file);
  }
  if (size.height > 0 && size.width > 0)
    return size.height <= max_pixels / size.width ? size.cells() : max_pixels;
  return std::min(max_pixels, 30 * static_cast<Index>(file.size()));
}

/// The first number in a file of the system; `otherwise` where there is none.
double number_in(const char* path, double otherwise) {
  std::ifstream file(path);
  double value = 0;
  return file >> value ? value : otherwise;
}

double available_in_machine() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("MemAvailable:")) return 1024 * std::stod(line.substr(13));
  }
  return std::numeric_limits<double>::infinity();
}

}  // namespace

double photo_memory(Span file) {
  constexpr double bytes_a_pixel = 40;  // decoded, fitted, drawn and encoded: 24 are measured
  return file.empty() ? 0 : bytes_a_pixel * static_cast<double>(pixels_of(file));
}

double spare_memory() {
  const double container =
      number_in("/sys/fs/cgroup/memory.max", std::numeric_limits<double>::infinity());
  return 0.75 * std::min(available_in_machine(), container);
}

MemoryGate::Share MemoryGate::enter(double bytes) {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [&] { return inside_ == 0 || taken_ + bytes <= budget_; });
  taken_ += bytes;
  ++inside_;
  return {*this, bytes};
}

void MemoryGate::give_back(double bytes) {
  {
    const std::lock_guard lock(mutex_);
    taken_ -= bytes;
    --inside_;
  }
  freed_.notify_all();
}

}  // namespace cli
