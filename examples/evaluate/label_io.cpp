// SPDX-License-Identifier: MIT
#include "label_io.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <diffseg/io/error.hpp>
#include <map>
#include <memory>
#include <string_view>
#include <system_error>

#include "container.hpp"
#include "files.hpp"
#include "photo_io.hpp"
#include "text.hpp"

#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#include <stb/stb_image.h>

namespace cli {

namespace fs = std::filesystem;
using diffseg::Index;
using diffseg::Labels;

namespace {

using Span = std::span<const unsigned char>;
constexpr std::size_t signature = 8;
constexpr std::size_t frame = 12;         // length, type and check sum of a chunk
constexpr std::size_t bit_depth_at = 24;  // in the header, which comes first
constexpr std::size_t colour_type_at = 25;
constexpr unsigned char grey = 0;
constexpr unsigned char palette = 3;

/// The same picture with its palette forgotten, so that the decoder gives indices and not colours.
/// Requires a complete PNG.
Bytes as_grey(Span png) {
  Bytes result(png.begin(), png.begin() + signature);
  for (std::size_t begin = signature; begin + frame <= png.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8U | png[begin + i];
    const std::size_t end = std::min(begin + frame + length, png.size());
    const std::string_view type(reinterpret_cast<const char*>(png.data() + begin + 4), 4);
    if (type != "PLTE" && type != "tRNS") {
      result.insert(result.end(), png.begin() + static_cast<std::ptrdiff_t>(begin),
                    png.begin() + static_cast<std::ptrdiff_t>(end));
    }
    begin = end;
  }
  result[colour_type_at] = grey;
  return result;
}

void check_png(Span bytes, const std::string& name) {
  const auto refuse = [&](const auto&... reason) {
    throw diffseg::io_error(message(name, ": ", reason...));
  };
  const Container container = inspect(bytes);
  if (container.kind != Container::Kind::png) refuse("is no PNG; save the labels as one");
  if (!container.complete || container.damaged || bytes.size() <= colour_type_at) {
    refuse("is truncated or damaged; copy or download it again");
  }
  const unsigned char colour = bytes[colour_type_at];
  if (colour != grey && colour != palette) {
    refuse("holds colours, not labels; save the labels as palette indices or grey values");
  }
  int width = 0;
  int height = 0;
  int samples = 0;
  stbi_info_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &samples);
  if (Index{width} * height > max_pixels) {
    refuse("is too large (", width, " x ", height, "), at most ", max_pixels, " pixels are taken");
  }
}

/// The K of ID.truthK; removes it from `stem`.
int take_truth_number(std::string& stem) {
  constexpr std::string_view mark = ".truth";
  const std::size_t at = stem.rfind(mark);
  if (at == std::string::npos) return -1;
  int number = -1;
  const char* const end = stem.data() + stem.size();
  const auto [rest, error] = std::from_chars(stem.data() + at + mark.size(), end, number);
  if (error != std::errc{} || rest != end || number < 0) return -1;
  stem.resize(at);
  return number;
}

/// Names without .png of the PNGs in a folder, with their paths.
std::map<std::string, fs::path> pngs_in(const fs::path& folder) {
  std::map<std::string, fs::path> result;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".png") result[entry->path().stem().string()] = entry->path();
  }
  if (error) {
    throw diffseg::io_error(message(folder.string(), ": cannot be read (", error.message(),
                                    "); give a folder of PNGs"));
  }
  return result;
}

}  // namespace

Labels decode_labels(Span bytes, const std::string& name) {
  check_png(bytes, name);
  const unsigned char bits = bytes[bit_depth_at];
  const Bytes png = as_grey(bytes);
  int width = 0;
  int height = 0;
  int samples = 0;
  const std::unique_ptr<stbi_us, decltype(&stbi_image_free)> decoded(
      stbi_load_16_from_memory(png.data(), static_cast<int>(png.size()), &width, &height, &samples,
                               1),
      &stbi_image_free);
  if (decoded == nullptr) {
    throw diffseg::io_error(
        message(name, ": cannot be decoded (", stbi_failure_reason(), "); save it again"));
  }
  Labels labels;
  labels.size = {height, width};
  labels.values.resize(static_cast<std::size_t>(labels.size.cells()));
  // The decoder stretches fewer bits to 16: 0xff to 0xffff, 1 of 1 bit likewise.
  const int scale = 0xffff / ((1 << bits) - 1);
  for (std::size_t i = 0; i < labels.values.size(); ++i)
    labels.values[i] = decoded.get()[i] / scale;
  const auto largest = *std::max_element(labels.values.begin(), labels.values.end());
  for (std::int32_t id = 0; id <= largest; ++id) labels.proposals.push_back(id);
  return labels;
}

Labels read_labels(const fs::path& path) {
  return decode_labels(read_file(path), path.string());
}

std::vector<LabelFiles> find_labels(const fs::path& predictions, const fs::path& truths) {
  std::map<std::string, std::map<int, fs::path>> photos;
  const auto true_files = pngs_in(truths);
  for (const auto& [name, path] : true_files) {
    std::string id = name;
    const int number = take_truth_number(id);
    photos[id][number] = path;  // -1: ID.png
  }
  const auto predicted_files = pngs_in(predictions);
  std::vector<LabelFiles> result;
  for (auto& [id, numbered] : photos) {
    if (numbered.size() > 1) numbered.erase(-1);
    LabelFiles files{id, {}, {}};
    for (const auto& [number, path] : numbered) files.truths.push_back(path);
    for (const std::string& name : {id + ".labels", id}) {
      const auto found = predicted_files.find(name);
      if (found == predicted_files.end() || !files.prediction.empty()) continue;
      files.prediction = found->second;
    }
    result.push_back(std::move(files));
  }
  return result;
}

}  // namespace cli
