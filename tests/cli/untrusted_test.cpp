// SPDX-License-Identifier: MIT
// Files that a stranger made to do harm; SECURITY.md says what is promised about them.
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "array_files.hpp"
#include "files.hpp"
#include "folder.hpp"
#include "json_text.hpp"
#include "manifest.hpp"
#include "memory.hpp"
#include "photo_io.hpp"
#include "sidecar.hpp"
#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/file_bytes.hpp"
#include "text.hpp"

namespace fs = std::filesystem;
using cli::Bytes;
using support::Contains;
using support::Folder;
using support::message_of;
using support::number;
using support::write_text;

namespace {

Bytes bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

/// What is said about a manifest that has `fields`.
std::string complaint(const std::string& fields) {
  const Bytes bytes = bytes_of("{\"diffseg\": 1, " + fields + "}");
  return message_of([&] { return cli::parse_manifest(bytes, "m.json").layers.size(); });
}

std::string layer_of(const std::string& file) {
  return "\"layers\": [{\"file\": \"" + file + "\"}]";
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

/// Sides as JPEG and PNG store them, the highest byte first.
std::string big_endian(std::uint64_t value, int bytes) {
  const std::string little = number(value, bytes);
  return {little.rbegin(), little.rend()};
}

std::string segment_of_jpeg(char marker, const std::string& body) {
  return std::string("\xff") + marker + big_endian(body.size() + 2, 2) + body;
}

/// A grey JPEG in arithmetic code, all of it the same: `scans` of them, in no bytes.
std::string arithmetic_jpeg(std::uint64_t height, std::uint64_t width, std::size_t scans) {
  const std::string first("\1\1\0\0\0\0", 6);
  const std::string later("\1\1\0\1\x3f\0", 6);
  const std::string whole("\1\1\0\0\x3f\0", 6);
  const char frame = scans > 1 ? '\xca' : '\xc9';
  std::string table(65, '\1');
  table[0] = '\0';
  std::string jpeg = "\xff\xd8" + segment_of_jpeg('\xdb', table) +
                     segment_of_jpeg(frame, '\b' + big_endian(height, 2) + big_endian(width, 2) +
                                                std::string("\1\1\x11\0", 4));
  for (std::size_t scan = 0; scan < scans; ++scan)
    jpeg += segment_of_jpeg('\xda', scans == 1 ? whole : scan == 0 ? first : later);
  return jpeg + std::string("\0\0\xff\xd9", 4);
}

std::string png_chunk(const std::string& kind, const std::string& body) {
  return big_endian(body.size(), 4) + kind + body +
         big_endian(support::plain_crc32(kind + body), 4);
}

std::string png_header(std::uint64_t height, std::uint64_t width) {
  return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", big_endian(width, 4) + big_endian(height, 4) +
                                                     std::string("\1\0\0\0\0", 5));
}

/// The front of a lossless WebP, which has no more than 16384 pixels a side.
std::string webp_front(std::uint64_t height, std::uint64_t width) {
  std::string body(1, '\x2f');
  body += number(width - 1 | (height - 1) << 14U, 4);
  body.append(7, '\0');
  return "RIFF" + number(12 + body.size(), 4) + "WEBPVP8L" + number(body.size(), 4) + body;
}

std::string refusal_of_photo(const std::string& bytes) {
  return message_of([&] { return cli::load_photo(bytes_of(bytes), "photo").image.size.cells(); });
}

}  // namespace

TEST_CASE("JSON that is nested deep is refused where its copies would overflow the stack",
          "[untrusted][unit]") {
  const std::size_t deep = 200'000;
  const std::string nest = repeated("[", deep) + repeated("]", deep);
  CHECK(complaint("\"timestep\": " + nest) ==
        "m.json: manifest: is no JSON (it is nested too deep); repair it");
  CHECK(complaint("\"tokens\": [" + nest + "]").find("nested too deep") != std::string::npos);
  CHECK(complaint(layer_of("a.npy") + ", \"tokens\": []") == "was read");
  const Bytes open = bytes_of(repeated("[{\"a\":", deep));
  CHECK_THROWS_WITH(cli::parse_json(open), Contains("nested too deep"));
  CHECK_THROWS_WITH(cli::parse_json(bytes_of(std::string("1\0 2", 4))), Contains("zero byte"));
}

TEST_CASE("a message of a manifest holds neither control characters nor all of a long value",
          "[untrusted][unit]") {
  CHECK(complaint("\"layers\": [{\"file\": \"a.npy\", \"kind\": \"\\u001b[31mred\"}]")
            .find("got ?[31mred;") != std::string::npos);
  CHECK(complaint("\"a\\nb\": 1").find("a?b: is not known here") != std::string::npos);
  CHECK(complaint("\"timestep\": [" + repeated("1,", 100'000) + "1]").size() < 300);
  CHECK(cli::plain("a\x1b\tb\x7f\xc3\xa9") == "a??b?\xc3\xa9");
}

TEST_CASE("a manifest names files of its own folder only", "[untrusted][unit]") {
  for (const char* file : {"/etc/passwd.npy", "../a.npy", "b/../../a.npy", "b/../..", ".."}) {
    CHECK(complaint(layer_of(file)) ==
          std::string("m.json: layers[0].file: must lie in the folder of the manifest or below it, "
                      "got ") +
              file + "; see docs/real_attention.md");
  }
  for (const char* file : {"a.npy", "b/a.npy", "./a.npy", "b/../a.npy", "..a.npy"})
    CHECK(complaint(layer_of(file)) == "was read");
  CHECK(complaint("\"file\": \"../a.npz\", \"layers\": [{\"array\": \"x\"}]")
            .find("layers[0].file: must lie") != std::string::npos);
}

TEST_CASE("links lead no manifest out of its folder", "[untrusted][unit]") {
  const Folder folder;
  const auto make = [&](const char* name, const std::string& text) {
    fs::create_directories((folder.path / name).parent_path());
    write_text(folder.path / name, text);
  };
  const auto read = [&](const char* name) {
    return message_of([&] { return cli::read_manifest(folder.path / name).layers.size(); });
  };
  make("out/a.npy", "");
  make("in/deep/b.npy", "");
  make("in/out.json", "{\"diffseg\": 1, " + layer_of("a.npy") + "}");
  make("in/in.json", "{\"diffseg\": 1, " + layer_of("b.npy") + "}");
  make("in/gone.json", "{\"diffseg\": 1, " + layer_of("gone.npy") + "}");
  fs::create_symlink("../out/a.npy", folder.path / "in/a.npy");
  fs::create_symlink("deep/b.npy", folder.path / "in/b.npy");
  CHECK(read("in/out.json")
            .find("layers[0].file: must lie in the folder of the manifest or below "
                  "it, but ") != std::string::npos);
  CHECK(read("in/in.json") == "was read");
  CHECK(read("in/gone.json") == "was read");  // its reader says that it is not there
  // Caches keep all files elsewhere, the manifest too, and link to them.
  make("cache/m", "{\"diffseg\": 1, " + layer_of("c.npy") + "}");
  make("cache/c", "");
  fs::create_symlink("../cache/m", folder.path / "in/cached.json");
  fs::create_symlink("../cache/c", folder.path / "in/c.npy");
  CHECK(read("in/cached.json") == "was read");
  fs::create_directory_symlink("in", folder.path / "linked");
  CHECK(read("linked/in.json") == "was read");
  CHECK(read("linked/out.json") != "was read");
}

TEST_CASE("pipes and devices that nobody named are not opened", "[untrusted][unit]") {
  const Folder folder;
  write_text(folder.path / "a.jpg", "");
  REQUIRE(::mkfifo((folder.path / "b.jpg").c_str(), 0600) == 0);
  REQUIRE(::mkfifo((folder.path / "c.json").c_str(), 0600) == 0);
  fs::create_symlink("/dev/zero", folder.path / "d.jpg");
  fs::create_symlink("nowhere", folder.path / "e.jpg");
  const auto listing = cli::list_folder(folder.path.string() + '/', false, {}, cli::is_photo_name);
  CHECK(listing.files == std::vector<std::string>{"a.jpg", "e.jpg"});
  REQUIRE(listing.unreadable.size() == 2);
  for (const auto& [path, reason] : listing.unreadable)
    CHECK(reason.find("is a pipe or a device") != std::string::npos);
  CHECK_FALSE(cli::is_sidecar(folder.path / "c.json"));
  CHECK(cli::look_into(folder.path, {}).manifests.size() == 1);
  CHECK(message_of([&] {
          return cli::read_manifest(folder.path / "c.json").layers.size();
        }).find("manifest: is a pipe or a device") != std::string::npos);
}

TEST_CASE("a file without an end is read no further than it may be", "[untrusted][unit]") {
  const Folder folder;
  write_text(folder.path / "a", std::string(1000, 'a'));
  CHECK(cli::read_file(folder.path / "a", 1000).size() == 1000);
  CHECK_THROWS_WITH(cli::read_file(folder.path / "a", 999), Contains("is too large, at most 999"));
  CHECK_THROWS_WITH(cli::read_file("/dev/zero", 1'000'000), Contains("is too large"));
  write_text(folder.path / "sparse.jpg", "");
  fs::resize_file(folder.path / "sparse.jpg", cli::most_file_bytes + 1);
  CHECK_THROWS_WITH(cli::read_file(folder.path / "sparse.jpg"), Contains("is too large"));
  write_text(folder.path / "m.json", std::string(16'000'001, ' '));
  CHECK_THROWS_WITH(cli::read_manifest(folder.path / "m.json"), Contains("is too large"));
}

TEST_CASE("headers that declare 2^31 pixels and more are refused", "[untrusted][unit]") {
  constexpr std::uint64_t most = 0x7fffffff;
  for (const auto& [height, width] : {std::pair{most, most},
                                      {most, std::uint64_t{1}},
                                      {std::uint64_t{1}, most},
                                      {65536U, 32768U}})
    CHECK(
        refusal_of_photo(png_header(height, width) + png_chunk("IDAT", "") + png_chunk("IEND", ""))
            .find("photo: is too large (") == 0);
  CHECK(refusal_of_photo(png_header(most + 1, 1)).find("photo: is damaged") == 0);
  CHECK(refusal_of_photo(png_header(40'000, 40'000) + png_chunk("IDAT", "") + png_chunk("IEND", ""))
            .find("bytes cannot hold 40000 x 40000 pixels") != std::string::npos);
  CHECK(refusal_of_photo(arithmetic_jpeg(65'500, 65'500, 1)).find("photo: is too large (") == 0);
  CHECK(refusal_of_photo(webp_front(16'384, 16'384)) != "was read");
}

TEST_CASE("arithmetic code and scans make no picture of a few bytes endless", "[untrusted][unit]") {
  CHECK(refusal_of_photo(arithmetic_jpeg(100, 100, 1)) == "was read");
  CHECK(refusal_of_photo(arithmetic_jpeg(40'000, 40'000, 1))
            .find("is too large for an arithmetic-coded JPEG (40000 x 40000") != std::string::npos);
  CHECK(refusal_of_photo(arithmetic_jpeg(100, 100, 400)) == "was read");
  CHECK(refusal_of_photo(arithmetic_jpeg(100, 100, 502)).find("too many scans for its size") !=
        std::string::npos);
}

TEST_CASE("of a PNG no more than 64 texts are kept", "[untrusted][unit]") {
  const std::string photo =
      support::text_of(std::string(DIFFSEG_TEST_PHOTOS "/") + "exif_profile.png");
  const auto size_with = [&](std::size_t count, const std::string& last = "") {
    std::string chunks;
    for (std::size_t i = 0; i < count; ++i)
      chunks += png_chunk("tEXt", "Comment" + std::string(1, '\0') + "a");
    const std::string whole = photo.substr(0, 33) + chunks + last + photo.substr(33);
    return cli::load_photo(bytes_of(whole), "photo").full;
  };
  CHECK(size_with(10) == size_with(0));
  CHECK(size_with(70) != size_with(0));  // its EXIF is a text, the 71st
  // A chunk of its own is seen wherever it stands.
  const std::string turned = png_chunk(
      "eXIf",
      std::string("MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0", 26));
  CHECK(size_with(0, turned) == size_with(0));
  CHECK(size_with(70, turned) == size_with(0));
  CHECK(size_with(1100, turned) == size_with(0));
}

TEST_CASE("the memory that a photo takes is foreseen from its front", "[untrusted][unit]") {
  const double most = 40.0 * static_cast<double>(cli::max_pixels);
  const auto foreseen = [](const std::string& bytes) { return cli::photo_memory(bytes_of(bytes)); };
  CHECK(foreseen(webp_front(100, 200)) == 40 * 100 * 200);
  CHECK(foreseen(webp_front(16'384, 16'384)) == most);  // was a guess by its 32 bytes
  CHECK(foreseen(png_header(100, 200)) == 40 * 100 * 200);
  CHECK(foreseen(png_header(20'000, 20'000)) == most);
  CHECK(foreseen(png_header(0xffffffff, 0xffffffff)) == most);
  CHECK(foreseen(arithmetic_jpeg(60'000, 60'000, 1)) == most);
}

#if DIFFSEG_WITH_ZLIB

TEST_CASE("deflated arrays unpack to no more than memory has left", "[untrusted][unit]") {
  const Folder folder;
  const std::string array = support::npy_of("<f4", "(1, 100, 2)", std::string(800, '\0'));
  const std::string packed = support::stored_block(array);
  const fs::path file = folder.path / "a.npz";
  write_text(file,
             support::zip_of({{"a.npy", array, 8, packed}, {"b.npy", array, 8, packed}}).bytes);
  cli::ArrayFiles enough(1e6);
  CHECK(enough.read(file, "a").count() == 200);
  CHECK(enough.read(file, "b").count() == 200);
  cli::ArrayFiles little(3000);  // each is unpacked twice, the first time for its header
  CHECK(little.read(file, "a").count() == 200);
  CHECK_THROWS_WITH(little.read(file, "b"), Contains("unpacks to more than memory has left"));
}

#endif
