// SPDX-License-Identifier: MIT
#include "label_io.hpp"

#include <algorithm>
#include <charconv>
#include <diffseg/io/error.hpp>
#include <map>
#include <string_view>
#include <system_error>

#include "files.hpp"
#include "photo_io.hpp"
#include "picture_format.hpp"
#include "png.hpp"
#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;
using diffseg::Index;
using diffseg::Labels;

namespace {

using Span = std::span<const unsigned char>;

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
  const auto refuse = [&](const char* reason) { throw diffseg::io_error(name + ": " + reason); };
  if (picture_format(bytes) != "PNG") refuse("is no PNG; save the labels as one");
  PngNumbers numbers;
  try {
    numbers = decode_png_numbers(bytes, max_pixels);
  } catch (const diffseg::io_error& error) {
    refuse(error.what());
  }
  if (numbers.colours) {
    refuse("holds colours, not labels; save the labels as palette indices or grey values");
  }
  Labels labels{numbers.size, {numbers.values.begin(), numbers.values.end()}, {}};
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
