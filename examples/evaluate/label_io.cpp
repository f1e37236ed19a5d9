// SPDX-License-Identifier: MIT
#include "label_io.hpp"

#include <algorithm>
#include <diffseg/io/error.hpp>
#include <numeric>

#include "files.hpp"
#include "photo_io.hpp"
#include "picture_format.hpp"
#include "png.hpp"

namespace cli {

using diffseg::Labels;

Labels decode_labels(std::span<const unsigned char> bytes, const std::string& name) {
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
  labels.proposals.resize(static_cast<std::size_t>(largest) + 1);
  std::iota(labels.proposals.begin(), labels.proposals.end(), 0);
  return labels;
}

Labels read_labels(const std::filesystem::path& path) {
  return decode_labels(read_file(path), path.string());
}

}  // namespace cli
