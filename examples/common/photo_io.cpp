// SPDX-License-Identifier: MIT
#include "photo_io.hpp"

#include <cstddef>
#include <diffseg/core/profile.hpp>
#include <diffseg/io/error.hpp>
#include <limits>
#include <memory>
#include <utility>

#include "container.hpp"
#include "files.hpp"
#include "text.hpp"

// What the decoder assumes of a file is an error of the file, not a reason to abort, and memory
// that a bad file leaves unset is zero.
#define STBI_ASSERT(condition) \
  ((condition) ? void() : throw diffseg::io_error("contradicts itself; save it again"))
#define STBI_MALLOC(size) std::calloc(1, size)
#define STBI_REALLOC(memory, size) std::realloc(memory, size)
#define STBI_FREE(memory) std::free(memory)
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#include <stb/stb_image.h>

namespace cli {

using diffseg::Image;
using diffseg::Index;

namespace {

using Span = std::span<const unsigned char>;

/// Grey or colour 0..1, one pixel; alpha, when there is one, lets white through.
template <class Sample>
void convert_pixel(const Sample* from, Index samples, float* to) {
  constexpr float full = std::numeric_limits<Sample>::max();
  const Index colours = samples <= 2 ? 1 : 3;
  const float alpha = samples == colours ? 1.0F : static_cast<float>(from[colours]) / full;
  for (Index c = 0; c < colours; ++c) {
    to[c] = alpha * (static_cast<float>(from[c]) / full) + (1.0F - alpha);
  }
}

template <class Sample>
Image<float> convert(const Sample* decoded, int height, int width, int samples) {
  Image<float> image{{height, width}, samples <= 2 ? 1 : 3, {}};
  image.values.resize(static_cast<std::size_t>(image.size.cells() * image.channels));
  for (Index i = 0; i < image.size.cells(); ++i) {
    convert_pixel(decoded + i * samples, samples, image.values.data() + i * image.channels);
  }
  return image;
}

template <class Sample>
using Loader = Sample* (*)(const stbi_uc*, int, int*, int*, int*, int);

template <class Sample>
Image<float> decode(Loader<Sample> load, Span bytes, const std::string& name) {
  int width = 0;
  int height = 0;
  int samples = 0;
  const std::unique_ptr<Sample, decltype(&stbi_image_free)> decoded(
      load(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &samples, 0),
      &stbi_image_free);
  if (decoded == nullptr) {
    throw diffseg::io_error(message(name, ": cannot be decoded (", stbi_failure_reason(),
                                    "); save it again, scaled down if it is large"));
  }
  return convert(decoded.get(), height, width, samples);
}

/// The checks that the decoder leaves out: it fills what a cut-off file lacks with grey.
void check_container(const Container& container, const std::string& name) {
  const auto refuse = [&](const char* reason) { throw diffseg::io_error(name + ": " + reason); };
  if (container.kind == Container::Kind::unknown) {
    refuse("is neither a JPEG nor a PNG; convert it to one of them");
  }
  if (!container.complete) {
    refuse("is truncated (its end marker is missing); copy or download it again");
  }
  if (container.damaged) refuse("is damaged (wrong check sum or table); copy or download it again");
}

void check_size(Span bytes, const std::string& name) {
  const auto refuse = [&](const auto&... size) {
    throw diffseg::io_error(message(name, ": is too large (", size..., "), at most ", max_pixels,
                                    " pixels are taken; scale it down first"));
  };
  if (bytes.size() > 1U << 30U) refuse(bytes.size(), " bytes");
  int width = 0;
  int height = 0;
  int samples = 0;
  stbi_info_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &samples);
  if (Index{width} * height > max_pixels) refuse(width, " x ", height, " pixels");
}

}  // namespace

Image<float> upright(Image<float> stored, int orientation) {
  if (orientation == 1) return stored;
  const bool transposed = orientation >= 5;
  // Where in what is stored the first upright pixel lies.
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image<float> turned{stored.size, stored.channels, {}};
  if (transposed) std::swap(turned.size.height, turned.size.width);
  turned.values.reserve(stored.values.size());
  for (Index y = 0; y < turned.size.height; ++y) {
    for (Index x = 0; x < turned.size.width; ++x) {
      const Index row = transposed ? x : y;
      const Index column = transposed ? y : x;
      const Index from = (from_bottom ? stored.size.height - 1 - row : row) * stored.size.width +
                         (from_right ? stored.size.width - 1 - column : column);
      const float* pixel = stored.values.data() + from * stored.channels;
      turned.values.insert(turned.values.end(), pixel, pixel + stored.channels);
    }
  }
  return turned;
}

Image<float> decode_photo(Span bytes, const std::string& name) {
  const Container container = inspect(bytes);
  check_container(container, name);
  check_size(bytes, name);
  const bool deep = stbi_is_16_bit_from_memory(bytes.data(), static_cast<int>(bytes.size())) != 0;
  Image<float> stored = deep ? decode<stbi_us>(&stbi_load_16_from_memory, bytes, name)
                             : decode<stbi_uc>(&stbi_load_from_memory, bytes, name);
  return upright(std::move(stored), container.orientation);
}

Image<float> read_photo(const std::filesystem::path& path) {
  const diffseg::detail::ProfileScope scope("read photo");
  return decode_photo(read_file(path), path.string());
}

}  // namespace cli
