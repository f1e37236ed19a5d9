// SPDX-License-Identifier: MIT
// What reads and writes files with every one of its allocations failing in turn: a bad_alloc,
// nothing leaks, no half file, the next call right. A program of its own.
#include <algorithm>
#include <diffseg/io/npy.hpp>
#include <diffseg/io/npz.hpp>
#include <diffseg/io/safetensors.hpp>
#include <diffseg/io/view.hpp>
#include <filesystem>
#include <functional>
#include <iterator>
#include <new>
#include <string>
#include <vector>

#include "attention_files.hpp"
#include "files.hpp"
#include "formats/formats.hpp"
#include "formats/html.hpp"
#include "jpeg_io.hpp"
#include "overlay.hpp"
#include "photo_io.hpp"
#include "png_io.hpp"
#include "support/catch.hpp"
#include "support/failing_heap.hpp"
#include "support/file_bytes.hpp"
#include "support/random.hpp"

#if DIFFSEG_WITH_ZLIB
#include <diffseg/io/npz_deflate.hpp>
#endif

namespace {

using support::held;
using support::spared;
using support::until_failure;

/// Only allocations above 1 KiB fail while it lives: std::filesystem::path and fopen leave small
/// ones behind, or end the process, where there is no memory.
struct SmallOnesSpared {
  SmallOnesSpared() { spared = 1025; }
  ~SmallOnesSpared() { spared = 0; }
  SmallOnesSpared(const SmallOnesSpared&) = delete;
  SmallOnesSpared& operator=(const SmallOnesSpared&) = delete;
};

namespace fs = std::filesystem;
using cli::Bytes;
using diffseg::GridSize;
using diffseg::Index;

/// Runs `work` with allocation 0, 1, 2 .. failing, until it needs no more: it throws bad_alloc, or
/// gives what it always gives. `after` is called then.
template <class Work>
void fail_each(
    const Work& work, const std::function<void(bool)>& after = [](bool) {}) {
  const auto whole = work();
  {
    const auto again = work();  // what is made once per process is there
    REQUIRE(again == whole);
  }
  const auto sweep = [&](bool leaks_count) {
    const long before = held;
    long index = 0;
    for (bool failed = true; failed; ++index) {
      failed = false;
      auto result = decltype(work()){};
      until_failure = index;
      try {
        result = work();
      } catch (const std::bad_alloc&) {
        failed = true;
      } catch (const std::exception& error) {
        until_failure = -1;
        FAIL("allocation " << index << ": " << error.what());
      }
      until_failure = -1;
      const long left = failed && leaks_count ? held - before : 0;
      INFO("allocation " << index);
      REQUIRE(left == 0);
      if (!failed) REQUIRE(result == whole);
      after(failed);
    }
    REQUIRE(index > 0);
  };
  sweep(false);  // what the first exceptions of their kinds leave is there
  sweep(true);
}

std::string bytes_of(const diffseg::Tensor& tensor) {
  return tensor.name + std::string(diffseg::detail::text_of(tensor.bytes));
}

std::string some_numbers(std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += support::number(0x3f800000U + 77 * i, 4);
  return bytes;
}

/// Labels of 5 regions in blocks, and a photo of noise, which no encoder shrinks.
struct Picture {
  GridSize size{96, 128};
  diffseg::Labels labels{size, {}, {0, 1, 2, 3, 4}};
  diffseg::Image<float> photo{size, 3, {}};
  std::vector<diffseg::Names::Group> names{{"cat", {0, 2}}, {"mat", {1}}};
  std::vector<cli::Colour> palette = cli::make_palette(5);

  Picture() {
    support::Random random{4711};
    for (Index i = 0; i < size.cells(); ++i)
      labels.values.push_back(
          static_cast<std::int32_t>((i % size.width / 20 + i / size.width / 25) % 5));
    for (Index i = 0; i < 3 * size.cells(); ++i)
      photo.values.push_back(static_cast<float>(random.uniform()));
  }
  [[nodiscard]] cli::Scene scene() const { return {photo, labels, names, palette, "a.jpg"}; }
  [[nodiscard]] Bytes pixels() const { return cli::draw_overlay(photo, labels, palette); }
};

}  // namespace

TEST_CASE("readers of arrays throw bad_alloc when memory runs out", "[failing][law]") {
  const SmallOnesSpared rule;  // JSON and paths take memory where they may not throw
  const support::Folder folder;
  const std::string square = support::npy_of("<f4", "(2, 9, 9)", some_numbers(162));
  const std::string turned = support::npy_of("<f4", "(2, 9, 9)", some_numbers(162), "True");
  for (const std::string& file : {square, turned}) {
    const fs::path path = folder.path / "a.npy";
    support::write_text(path, file);
    fail_each([&] { return bytes_of(diffseg::read_npy(path)); });
  }
  const fs::path stored = folder.path / "a.npz";
  support::write_text(stored,
                      support::zip_of({{"x.npy", square}, {"a longer name.npy", turned}}).bytes);
  fail_each([&] { return bytes_of(diffseg::NpzFile(stored).read("a longer name")); });
#if DIFFSEG_WITH_ZLIB
  const fs::path deflated = folder.path / "b.npz";
  support::write_text(deflated,
                      support::zip_of({{"x.npy", square, 8, support::stored_block(square)}}).bytes);
  fail_each([&] { return bytes_of(diffseg::NpzFile(deflated, diffseg::inflate_zlib).read("x")); });
#endif
  const fs::path tensors = folder.path / "a.safetensors";
  support::write_text(
      tensors, support::safetensors_of(
                   R"({"q": {"dtype": "F32", "shape": [2, 9, 9], "data_offsets": [0, 648]}})",
                   some_numbers(162)));
  fail_each([&] { return bytes_of(diffseg::SafetensorsFile(tensors).read("q")); });
}

TEST_CASE("views become layers or bad_alloc when memory runs out", "[failing][law]") {
  const std::vector<float> numbers(4 * 26 * 26, 0.5F);
  const std::vector<std::int64_t> keys(4 * 26 * 3, 2);
  const auto text = [](const diffseg::Layer& layer) {
    return layer.name + std::to_string(layer.heads * layer.queries.cells() * layer.row_stride) +
           std::to_string(layer.keys.cells());
  };
  fail_each([&] {
    return text(diffseg::layer_from(diffseg::view(numbers, {1, 4, 26, 26}),
                                    {.queries = {5, 5}, .keys = {5, 5}, .skip = {1, 0}}));
  });
  fail_each([&] {
    const auto view = diffseg::view(numbers, {26, 4, 8}).permuted({1, 0, 2});
    return text(diffseg::queries_keys_from(view, view, {.queries = {2, 13}, .keys = {2, 13}}, 0.1));
  });
  fail_each([&] {
    return text(diffseg::top_k_from(diffseg::view(numbers, {4, 26, 3}),
                                    diffseg::view(keys, {4, 26, 3}), {.queries = {2, 13}}));
  });
}

TEST_CASE("a .npy file is whole or as before when memory runs out", "[failing][law]") {
  const SmallOnesSpared rule;
  const support::Folder folder;
  const std::vector<float> values(300, 1.5F);
  const fs::path file = folder.path / "a.npy";
  fail_each(
      [&] {
        diffseg::write_npy<float>(file, {3, 100}, values);
        return support::text_of(file);
      },
      [&](bool) {
        REQUIRE(support::text_of(file).size() == 128 + 1200);
        REQUIRE(std::distance(fs::directory_iterator(folder.path), {}) == 1);
      });
}

TEST_CASE("results are all there or none when memory runs out", "[failing][law]") {
  const SmallOnesSpared rule;
  const support::Folder folder;
  const fs::path out = folder.path / "out/deep";
  fail_each(
      [&] {
        cli::write_files({{out / "a", Bytes(5000, 'a')}, {out / "b", Bytes(7000, 'b')}});
        return cli::read_file(out / "b");
      },
      [&](bool failed) {
        const auto count = fs::exists(out) ? std::distance(fs::directory_iterator(out), {}) : 0;
        REQUIRE((count == 2 || (failed && count == 0)));
        fs::remove_all(folder.path / "out");
      });
}

TEST_CASE("attention is read or a bad_alloc when memory runs out", "[failing][law]") {
  const SmallOnesSpared rule;
  const support::Folder folder;
  support::write_text(folder.path / "a.npy",
                      support::npy_of("<f4", "(2, 9, 9)", some_numbers(162)));
  support::write_text(folder.path / "b.json",
                      R"({"diffseg": 1, "layers": [{"file": "a.npy", "weight": 2}]})");
  for (const char* name : {"a.npy", "b.json"}) {
    fail_each([&] {
      return std::to_string(cli::read_attention({folder.path / name}).self.front().bytes());
    });
  }
}

TEST_CASE("photos are decoded or a bad_alloc when memory runs out", "[failing][law]") {
  // Not WebP, whose reader of parts does not tell want of memory from damage.
  for (const char* name :
       {"exif_6.jpg", "exif_long.jpg", "progressive.jpg", "cmyk.jpg", "grey.png", "exif_3.png",
        "exif_profile.png", "exif_prefixed.png", "interlaced16.png", "palette.png"}) {
    INFO(name);
    const Bytes file = cli::read_file(fs::path(DIFFSEG_TEST_PHOTOS) / name);
    fail_each([&] { return cli::load_photo(file, name).image.values; });
  }
}

TEST_CASE("results are encoded or a bad_alloc when memory runs out", "[failing][law]") {
  const SmallOnesSpared rule;  // JSON loses small ones
  const Picture picture;
  const Bytes pixels = picture.pixels();
  fail_each([&] { return cli::encode_colour_jpeg(picture.size, pixels); });
  fail_each([&] { return cli::encode_colour_png(picture.size, pixels); });
  for (const cli::Format format :
       {cli::Format::png, cli::Format::voc, cli::Format::npy, cli::Format::coco,
        cli::Format::polygons, cli::Format::geojson, cli::Format::csv, cli::Format::outlines}) {
    INFO(cli::name_of(format));
    fail_each([&] { return cli::encode(format, picture.scene()); });
  }
  fail_each([&] { return cli::html_page({cli::html_photo(picture.scene(), "a", "", {}, 1)}); });
}
