// SPDX-License-Identifier: MIT
#include "photo_io.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <diffseg/io/error.hpp>
#include <diffseg/photo/downsample.hpp>
#include <random>
#include <span>
#include <string>

#include "exif.hpp"
#include "files.hpp"
#include "jpeg_io.hpp"
#include "overlay.hpp"
#include "png_io.hpp"
#include "result_size.hpp"
#include "support/catch.hpp"
#include "support/complaint.hpp"

using cli::Bytes;
using cli::Colour;
using diffseg::Image;
using diffseg::Index;
using support::Contains;

namespace {

Bytes photo_bytes(const std::string& name) {
  return cli::read_file(std::string(DIFFSEG_TEST_PHOTOS "/") + name);
}

Image<float> photo(const std::string& name) {
  return cli::load_photo(photo_bytes(name), name).image;
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

/// Within 2 levels of 255 in each channel; a mean beyond that is another colour.
bool near_colour(const Image<float>& image, Index y, Index x, const std::array<float, 3>& colour) {
  const float* const pixel = image.values.data() + 3 * (y * image.size.width + x);
  return std::equal(colour.begin(), colour.end(), pixel,
                    [](float wanted, float got) { return std::abs(wanted - 255 * got) <= 2.5F; });
}

/// True when `bytes` are an image; false when they are refused by an io_error.
bool decodes(const Bytes& bytes) {
  try {
    const Image<float> image = cli::load_photo(bytes, "photo").image;
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

TEST_CASE("orientations outside 1..8 and broken EXIF records tell nothing") {
  Bytes tiff{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0};
  CHECK(cli::exif_orientation(tiff) == 6);
  for (std::size_t size = 0; size < 20; ++size) {
    CHECK_FALSE(cli::exif_orientation({tiff.data(), size}));
  }
  tiff[19] = 9;
  CHECK_FALSE(cli::exif_orientation(tiff));
  tiff[19] = 6;
  tiff[13] = 4;  // a LONG, 0x60000 then
  CHECK_FALSE(cli::exif_orientation(tiff));
  tiff[19] = 0;
  tiff[21] = 6;
  CHECK(cli::exif_orientation(tiff) == 6);
  tiff[13] = 1;  // a BYTE, 0 then
  CHECK_FALSE(cli::exif_orientation(tiff));
  tiff[18] = 6;
  CHECK(cli::exif_orientation(tiff) == 6);
  tiff[4] = 0xff;  // a directory far outside
  CHECK_FALSE(cli::exif_orientation(tiff));
}

TEST_CASE("a raw profile is the bytes that its digits say") {
  CHECK(cli::raw_profile("\nexif\n       3\n0aF\n") == Bytes{});
  CHECK(cli::raw_profile("\nexif\n       3\n0a\nFF01\n") == Bytes{0x0a, 0xff, 0x01});
  for (const char* text : {"", "\n", "\nexif", "\nexif\n9", "\nexif\n9\n00", "\nexif\n-1\n00",
                           "\nexif\n1\nzz", "exif\n99999999999999999999\n00"}) {
    CHECK(cli::raw_profile(text).empty());
  }
}

TEST_CASE("what cameras and programs write besides is read as they meant it") {
  // Sky above, grass below, a block of columns 8..31 and rows 16..39; 2 levels for JPEG's loss.
  for (const char* name : {"odd_scan.jpg", "exif_long.jpg", "exif_prefixed.png", "exif_profile.png",
                           "interlaced16.png", "lossy.webp", "cmyk.jpg", "cmyk_bare.jpg"}) {
    INFO(name);
    const Image<float> scene = photo(name);
    REQUIRE(scene.size == diffseg::GridSize{48, 80});
    REQUIRE(scene.channels == 3);
    CHECK(near_colour(scene, 4, 60, {110, 170, 230}));
    CHECK(near_colour(scene, 44, 60, {60, 130, 50}));
    CHECK(near_colour(scene, 28, 20, {190, 50, 40}));
  }
}

TEST_CASE("a WebP's alpha lets white through and it is turned") {
  const Image<float> scene = photo("alpha_turned.webp");
  REQUIRE(scene.size == diffseg::GridSize{48, 80});
  CHECK(near_colour(scene, 4, 60, {110, 170, 230}));
  CHECK(near_colour(scene, 4, 75, {255, 255, 255}));
  CHECK(near_colour(scene, 28, 20, {222, 152, 147}));  // 128 / 255 of the block's colour
}

TEST_CASE("a photo of too many pixels is scaled while it is decoded") {
  const Image<float> whole = photo("exif_1.png");
  const auto load = [&](const char* name, Index most) {
    return cli::load_photo(photo_bytes(name), name, most);
  };
  CHECK(load("exif_1.png", 80 * 48).image.values == whole.values);
  const auto smaller = diffseg::DownsamplePhoto{{24, 40}}(whole);
  for (const char* name :
       {"exif_1.png", "interlaced16.png", "exif_profile.png", "exif_prefixed.png"}) {
    const cli::Photo half = load(name, 80 * 48 - 1);
    CHECK(half.full == diffseg::GridSize{48, 80});
    CHECK(largest_difference(half.image, smaller) < 1e-6F);
  }
  for (const char* name : {"plain.jpg", "exif_6.jpg", "lossy.webp", "cmyk_bare.jpg"}) {
    const cli::Photo half = load(name, 40 * 24);
    REQUIRE(half.image.size == diffseg::GridSize{24, 40});
    CHECK(half.full == diffseg::GridSize{48, 80});
    CHECK(near_colour(half.image, 2, 30, {110, 170, 230}));
    CHECK(near_colour(half.image, 14, 10, {190, 50, 40}));
  }
  CHECK(load("plain.jpg", 80 * 48 - 1).image.size == diffseg::GridSize{42, 70});  // 7 / 8
  CHECK(load("pixel.png", 1).image.size == diffseg::GridSize{1, 1});
}

TEST_CASE("means at the far ends cover what is there") {
  // 3 x 5 pixels in cells of 2 x 2, each pixel its own number.
  const std::array<std::uint8_t, 15> grey{0,   51,  102, 153, 204, 51, 102, 153,
                                          204, 255, 0,   0,   0,   51, 255};
  cli::PhotoRows rows({3, 5}, 1, 1, 2);
  for (const Index y : {2, 0, 1})
    rows.add(y, std::span(grey).subspan(5 * static_cast<std::size_t>(y), 5));
  const Image<float> means = rows.take();
  const std::vector<float> expected{0.2F, 0.6F, 0.9F, 0, 0.1F, 1};
  REQUIRE(means.size == diffseg::GridSize{2, 3});
  for (std::size_t i = 0; i < 6; ++i) CHECK(std::abs(means.values[i] - expected[i]) < 1e-6F);
}

TEST_CASE("sizes that the bytes cannot hold are refused before memory is asked for") {
  Bytes png = photo_bytes("too_large.png");  // 60000 x 60000
  CHECK_THROWS_WITH(cli::load_photo(png, "a.png").image, Contains("a.png: is too large"));
  Bytes jpeg = photo_bytes("plain.jpg");
  const std::array<unsigned char, 2> frame{0xff, 0xc0};
  const auto at = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
  std::fill_n(at + 5, 4, static_cast<unsigned char>(0x9c));  // 40092 x 40092
  CHECK_THROWS_WITH(cli::load_photo(jpeg, "a.jpg").image, Contains("768 bytes cannot hold 40092"));
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
  for (const char* name : {"exif_1.png", "exif_6.jpg", "progressive.jpg", "interlaced16.png",
                           "lossy.webp", "alpha_turned.webp"}) {
    const Bytes whole = photo_bytes(name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      INFO(name << " cut to " << size << " bytes");
      CHECK_FALSE(decodes({whole.data(), whole.data() + size}));
    }
    CHECK(decodes(whole));
  }
}

TEST_CASE("a photo with any one byte changed either decodes or is refused") {
  int refused = 0;
  for (const char* name : {"exif_1.png", "exif_6.jpg", "exif_profile.png", "exif_long.jpg",
                           "progressive.jpg", "alpha_turned.webp", "lossy.webp"}) {
    Bytes bytes = photo_bytes(name);
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
  for (const char* name : {"exif_1.png", "plain.jpg", "lossy.webp"}) {
    Bytes bytes = photo_bytes(name);
    bytes.insert(bytes.end(), 1000, 0x5a);
    CHECK(decodes(bytes));
  }
}

TEST_CASE("the label PNG shows the palette and holds the ids") {
  diffseg::Labels labels{{2, 3}, {0, 1, 2, 2, 1, 0}, {0, 4, 9}};
  const auto palette = cli::make_palette(labels.count());
  const Image<float> shown =
      cli::load_photo(cli::encode_label_png(labels, palette), "labels").image;
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
  const Image<float> shown = cli::load_photo(png, "labels").image;
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
  const Image<float> back =
      cli::load_photo(cli::encode_colour_png(grey.size, pixels), "overlay").image;
  CHECK(std::lround(back.values[std::size_t{3} * (30 * 10 + 5)] * 255) == pixel(10, 5));
}

namespace {

/// The label under a pixel of a photo, the nearest one's beyond its ends.
std::int32_t label_at(const diffseg::Labels& labels, diffseg::GridSize photo, Index y, Index x) {
  y = std::clamp<Index>(y, 0, photo.height - 1) * labels.size.height / photo.height;
  x = std::clamp<Index>(x, 0, photo.width - 1) * labels.size.width / photo.width;
  return labels.values[static_cast<std::size_t>(y * labels.size.width + x)];
}

bool near_border(const diffseg::Labels& labels, diffseg::GridSize photo, Index y, Index x,
                 Index distance) {
  const std::int32_t here = label_at(labels, photo, y, x);
  return label_at(labels, photo, y - distance, x) != here ||
         label_at(labels, photo, y + distance, x) != here ||
         label_at(labels, photo, y, x - distance) != here ||
         label_at(labels, photo, y, x + distance) != here;
}

}  // namespace

TEST_CASE("an overlay is what each of its pixels asks for", "[law]") {
  const unsigned seed = 20261;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (const diffseg::GridSize size : {diffseg::GridSize{1, 1}, {3, 170}, {41, 67}, {5, 1500}}) {
    for (const Index channels : {1, 3}) {
      Image<float> photo{size, channels, {}};
      photo.values.resize(static_cast<std::size_t>(size.cells() * channels));
      for (float& value : photo.values) value = static_cast<float>(random() % 1000) / 999;
      diffseg::Labels labels{
          {(size.height + 2) / 3, size.width % 2 == 0 ? size.width : 7}, {}, {0, 1, 2}};
      for (Index i = 0; i < labels.size.cells(); ++i)
        labels.values.push_back(static_cast<std::int32_t>(random() % 40 < 38 ? 0 : random() % 3));
      const auto palette = cli::make_palette(3);
      const Bytes pixels = cli::draw_overlay(photo, labels, palette);
      const Index line = std::max<Index>(1, std::max(size.height, size.width) / 700);
      for (Index y = 0; y < size.height; ++y) {
        for (Index x = 0; x < size.width; ++x) {
          const Colour& colour = palette[static_cast<std::size_t>(label_at(labels, size, y, x))];
          for (Index c = 0; c < 3; ++c) {
            const Index pixel = y * size.width + x;
            const float value =
                photo.values[static_cast<std::size_t>(pixel * channels + (channels == 1 ? 0 : c))];
            const float tinted = 0.55F * 255 * value +
                                 0.45F * static_cast<float>(colour[static_cast<std::size_t>(c)]);
            const bool bright = near_border(labels, size, y, x, line);
            const bool dark = near_border(labels, size, y, x, 2 * line);
            const float expected = bright ? 255 : dark ? 0 : tinted;
            REQUIRE(std::abs(expected -
                             static_cast<float>(pixels[static_cast<std::size_t>(3 * pixel + c)])) <=
                    0.51F);
          }
        }
      }
    }
  }
}

TEST_CASE("an overlay is a PNG and beyond 4 megapixels a JPEG or as asked for") {
  using cli::OverlayKind;
  CHECK(cli::overlay_suffix(OverlayKind::automatic, {2000, 2000}) == ".overlay.png");
  CHECK(cli::overlay_suffix(OverlayKind::automatic, {2000, 2001}) == ".overlay.jpg");
  CHECK(cli::overlay_suffix(OverlayKind::automatic, {65501, 100}) == ".overlay.png");
  CHECK(cli::overlay_suffix(OverlayKind::jpg, {2, 2}) == ".overlay.jpg");
  CHECK(cli::overlay_suffix(OverlayKind::png, {4000, 6000}) == ".overlay.png");
  CHECK(cli::overlay_suffix(OverlayKind::none, {2, 2}).empty());
  CHECK_THAT(support::complaint([] {
               (void)cli::overlay_suffix(OverlayKind::jpg, {2, 65501});
             }),
             Contains("at most 65500, got 2 x 65501; use --overlay png"));
}

TEST_CASE("a JPEG of an overlay shows its pixels") {
  Bytes pixels;
  for (int i = 0; i < 32 * 48; ++i) pixels.insert(pixels.end(), {200, 40, 90});
  const Image<float> back =
      cli::load_photo(cli::encode_colour_jpeg({32, 48}, pixels), "overlay").image;
  REQUIRE(back.size == diffseg::GridSize{32, 48});
  CHECK(near_colour(back, 0, 0, {200, 40, 90}));
  CHECK(near_colour(back, 31, 47, {200, 40, 90}));
}

TEST_CASE("labels of a photo that was scaled down get its size up to a limit") {
  const diffseg::Labels labels{{2, 3}, {0, 1, 2, 2, 1, 0}, {0, 4, 9}};
  cli::Photo photo{{{2, 3}, 1, std::vector<float>(6)}, {3, 5}};
  const auto full = cli::at_full_size(labels, photo);
  CHECK(full.size == photo.full);
  CHECK(full.values == std::vector<std::int32_t>{0, 0, 1, 1, 2, 0, 0, 1, 1, 2, 2, 2, 1, 1, 0});
  CHECK(full.proposals == labels.proposals);
  CHECK(cli::scaling_note(photo, full.size) ==
        "has 3x5 pixels, more than 100000000, and was scaled down to 2x3; the labels have 3x5");
  CHECK(cli::at_full_size(labels, photo, 14).values == labels.values);
  photo.full = photo.image.size;
  CHECK(cli::at_full_size(labels, photo).values == labels.values);
  CHECK(cli::scaling_note(photo, labels.size).empty());
}
