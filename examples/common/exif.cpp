// SPDX-License-Identifier: MIT
#include "exif.hpp"

#include <libexif/exif-data.h>
#include <libexif/exif-mem.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

namespace cli {

namespace {

using Record = std::vector<unsigned char>;
constexpr std::string_view signature{"Exif\0\0", 6};

/// libexif had no memory for something, and leaves it out in silence.
thread_local bool without_memory = false;

void* seen(void* place) {
  without_memory = without_memory || place == nullptr;
  return place;
}

/// Its own way to memory, seen.
ExifMem* watched_memory() {
  return exif_mem_new([](ExifLong bytes) { return seen(std::calloc(bytes, 1)); },
                      [](void* old, ExifLong bytes) { return seen(std::realloc(old, bytes)); },
                      &std::free);
}

/// The first number of an entry of any whole type; 0 when there is none.
long long first_number(const ExifEntry& entry, ExifByteOrder order) {
  const unsigned char size = exif_format_get_size(entry.format);
  if (entry.data == nullptr || entry.components < 1 || entry.size < size) return 0;
  switch (entry.format) {
    case EXIF_FORMAT_BYTE:
    case EXIF_FORMAT_SBYTE:
      return entry.data[0];
    case EXIF_FORMAT_SHORT:
    case EXIF_FORMAT_SSHORT:
      return exif_get_short(entry.data, order);
    case EXIF_FORMAT_LONG:
    case EXIF_FORMAT_SLONG:
      return exif_get_long(entry.data, order);
    default:
      return 0;
  }
}

}  // namespace

bool is_exif(std::span<const unsigned char> record) {
  return record.size() > signature.size() &&
         std::equal(signature.begin(), signature.end(), record.begin(),
                    [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; });
}

std::optional<int> exif_orientation(std::span<const unsigned char> record) {
  Record whole;
  if (!is_exif(record)) whole.assign(signature.begin(), signature.end());
  whole.insert(whole.end(), record.begin(), record.end());
  if (whole.size() > std::numeric_limits<unsigned>::max()) return {};
  without_memory = false;
  const std::unique_ptr<ExifMem, decltype(&exif_mem_unref)> memory(watched_memory(),
                                                                   &exif_mem_unref);
  const std::unique_ptr<ExifData, decltype(&exif_data_unref)> data(
      memory ? exif_data_new_mem(memory.get()) : nullptr, &exif_data_unref);
  if (data == nullptr) throw std::bad_alloc();
  // As it is written, not as the specification would have it.
  exif_data_unset_option(data.get(), EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
  exif_data_load_data(data.get(), whole.data(), static_cast<unsigned>(whole.size()));
  if (without_memory) throw std::bad_alloc();
  const ExifEntry* const entry =
      exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr) return {};
  const long long value = first_number(*entry, exif_data_get_byte_order(data.get()));
  if (value < 1 || value > 8) return {};
  return static_cast<int>(value);
}

Record raw_profile(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const auto word = [&] {
    const std::size_t begin = std::min(text.find_first_not_of(blank), text.size());
    text.remove_prefix(begin);
    const std::string_view result = text.substr(0, text.find_first_of(blank));
    text.remove_prefix(result.size());
    return result;
  };
  word();  // its name
  std::size_t size = 0;
  const std::string_view length = word();
  const auto parsed = std::from_chars(length.data(), length.data() + length.size(), size);
  if (parsed.ec != std::errc{} || size > text.size() / 2) return {};
  Record bytes;
  bytes.reserve(size);
  for (std::string_view digits = word(); !digits.empty(); digits = word()) {
    for (; digits.size() >= 2 && bytes.size() < size; digits.remove_prefix(2)) {
      unsigned char byte = 0;
      const auto pair = std::from_chars(digits.data(), digits.data() + 2, byte, 16);
      if (pair.ptr != digits.data() + 2) return {};
      bytes.push_back(byte);
    }
  }
  return bytes;
}

}  // namespace cli
