// SPDX-License-Identifier: MIT
#include "photo_io.hpp"

#include <algorithm>
#include <diffseg/io/error.hpp>
#include <string>

#include "container.hpp"
#include "files.hpp"
#include "overlay.hpp"
#include "png_io.hpp"
#include "support/catch.hpp"

using cli::Bytes;
using diffseg::Image;
using diffseg::Index;

namespace {

Bytes bytes_of(const std::string& name) {
  return cli::read_file(std::string(DIFFSEG_TEST_PHOTOS "/") + name);
}

Image<float> photo(const std::string& name) {
  return cli::decode_photo(bytes_of(name), name);
}

float largest_difference(const Image<float>& a, const Image<float>& b) {
  REQUIRE(a.size == b.size);
  REQUIRE(a.channels == b.channels);
  float largest = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    largest = std::max(largest, std::abs(a.values[i] - b.values[i]));
  }
  return largest;
}

/// True when `bytes` are an image; false when they are refused by an io_error.
bool decodes(const Bytes& bytes) {
  try {
    const Image<float> image = cli::decode_photo(bytes, "photo");
    return image.size.cells() > 0 &&
           image.values.size() == static_cast<std::size_t>(image.size.cells() * image.channels);
  } catch (const diffseg::io_error&) {
    return false;
  }
}

}  // namespace

TEST_CASE("every EXIF orientation of a scene decodes to the same upright photo") {
  const Image<float> upright = photo("exif_1.png");
  CHECK(upright.size == diffseg::GridSize{48, 80});
  for (int orientation = 2; orientation <= 8; ++orientation) {
    const Image<float> turned = photo("exif_" + std::to_string(orientation) + ".png");
    CHECK(largest_difference(turned, upright) == 0);
  }
  CHECK(largest_difference(photo("exif_6.jpg"), photo("plain.jpg")) < 0.03F);
  CHECK(largest_difference(photo("exif_8.jpg"), photo("plain.jpg")) < 0.03F);
}

TEST_CASE("orientations outside 1..8 and broken EXIF records mean upright") {
  Bytes tiff{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0};
  CHECK(cli::exif_orientation(tiff) == 6);
  for (std::size_t size = 0; size < 20; ++size) {
    CHECK(cli::exif_orientation({tiff.data(), size}) == 1);
  }
  tiff[19] = 9;
  CHECK(cli::exif_orientation(tiff) == 1);
  tiff[19] = 6;
  tiff[4] = 0xff;  // a directory far outside
  CHECK(cli::exif_orientation(tiff) == 1);
}

TEST_CASE("grey and deep and transparent pictures mean what they show") {
  const Image<float> colour = photo("exif_1.png");
  CHECK(largest_difference(photo("rgb16.png"), colour) < 1e-6F);
  CHECK(largest_difference(photo("palette.png"), colour) < 0.01F);
  CHECK(photo("grey.png").channels == 1);
  const Image<float> grey_alpha = photo("grey_alpha.png");
  CHECK(grey_alpha.channels == 1);
  CHECK(grey_alpha.values.back() == 1.0F);
  const Image<float> rgba = photo("rgba.png");
  CHECK(rgba.channels == 3);
  CHECK(rgba.values[0] == colour.values[0]);
  CHECK(rgba.values.back() == 1.0F);
  const float half = colour.values[std::size_t{3} * 55] * 128 / 255 + 127.0F / 255;
  CHECK(std::abs(rgba.values[std::size_t{3} * 55] - half) < 1e-6F);
}

TEST_CASE("a photo cut off anywhere is refused") {
  for (const char* name : {"exif_1.png", "exif_6.jpg", "progressive.jpg"}) {
    const Bytes whole = bytes_of(name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      INFO(name << " cut to " << size << " bytes");
      CHECK_FALSE(decodes({whole.data(), whole.data() + size}));
    }
    CHECK(decodes(whole));
  }
}

TEST_CASE("a photo with any one byte changed either decodes or is refused") {
  int refused = 0;
  for (const char* name : {"exif_1.png", "exif_6.jpg"}) {
    Bytes bytes = bytes_of(name);
    for (unsigned char& byte : bytes) {
      for (const unsigned change : {0x01U, 0x80U, 0xffU}) {
        byte = static_cast<unsigned char>(byte ^ change);
        refused += decodes(bytes) ? 0 : 1;
        byte = static_cast<unsigned char>(byte ^ change);
      }
    }
  }
  CHECK(refused > 100);
}

TEST_CASE("bytes behind the end marker do no harm") {
  for (const char* name : {"exif_1.png", "plain.jpg"}) {
    Bytes bytes = bytes_of(name);
    bytes.insert(bytes.end(), 1000, 0x5a);
    CHECK(decodes(bytes));
  }
}

TEST_CASE("the label PNG shows the palette and holds the ids") {
  diffseg::Labels labels{{2, 3}, {0, 1, 2, 2, 1, 0}, {0, 4, 9}};
  const auto palette = cli::make_palette(labels.count());
  const Image<float> shown = cli::decode_photo(cli::encode_label_png(labels, palette), "labels");
  REQUIRE(shown.size == labels.size);
  for (std::size_t i = 0; i < labels.values.size(); ++i) {
    const auto& colour = palette[static_cast<std::size_t>(labels.values[i])];
    for (std::size_t c = 0; c < 3; ++c) {
      CHECK(shown.values[3 * i + c] == static_cast<float>(colour[c]) / 255);
    }
  }
}

TEST_CASE("more than 256 labels become 16-bit grey ids") {
  diffseg::Labels labels{{1, 300}, {}, {}};
  for (std::int32_t id = 0; id < 300; ++id) {
    labels.values.push_back(id);
    labels.proposals.push_back(id);
  }
  const auto png = cli::encode_label_png(labels, cli::make_palette(300));
  const Image<float> shown = cli::decode_photo(png, "labels");
  REQUIRE(shown.channels == 1);
  for (std::size_t id = 0; id < 300; ++id) {
    CHECK(std::lround(shown.values[id] * 65535) == static_cast<long>(id));
  }
}

TEST_CASE("the colours of 64 labels are all different") {
  auto palette = cli::make_palette(64);
  std::sort(palette.begin(), palette.end());
  CHECK(std::adjacent_find(palette.begin(), palette.end()) == palette.end());
}

TEST_CASE("an overlay keeps the photo's size and marks borders only") {
  const Image<float> grey{{20, 30}, 1, std::vector<float>(600, 0.5F)};
  diffseg::Labels labels{{2, 3}, {0, 0, 1, 0, 0, 1}, {0, 1}};
  const auto palette = cli::make_palette(2);
  const Bytes pixels = cli::draw_overlay(grey, labels, palette);
  const auto pixel = [&](std::size_t y, std::size_t x) { return pixels[3 * (30 * y + x)]; };
  REQUIRE(pixels.size() == 1800);
  CHECK(pixel(10, 19) == 255);
  CHECK(pixel(10, 20) == 255);
  CHECK(pixel(10, 18) == 0);
  CHECK(pixel(10, 21) == 0);
  CHECK(pixel(10, 5) == pixel(0, 0));
  CHECK(pixel(10, 5) != 255);
  const Image<float> back = cli::decode_photo(cli::encode_colour_png(grey.size, pixels), "overlay");
  CHECK(std::lround(back.values[std::size_t{3} * (30 * 10 + 5)] * 255) == pixel(10, 5));
}
