// SPDX-License-Identifier: MIT
#include <diffseg/io/safetensors.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"
#include "support/random.hpp"

namespace {

using diffseg::Index;
using diffseg::NumberType;
using diffseg::SafetensorsFile;
using support::number;
using support::safetensors_of;

diffseg::FileBytes file_with(const std::string& text) {
  return {"a.safetensors", std::as_bytes(std::span(text)), nullptr};
}

std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

/// What reading a file of the one tensor x says.
std::string safetensors_message(const std::string& bytes) {
  return support::message_of([&] { return SafetensorsFile(file_with(bytes)).read("x"); });
}

/// A file of `json` and four bytes of numbers.
std::string with(const std::string& json) {
  return safetensors_of(json, std::string(4, '\0'));
}

}  // namespace

TEST_CASE("safetensors: tensors of every type are read by name", "[unit][safetensors]") {
  // 1 and -2 as F32, BF16, F16; 3 as F64; 255 as U8; -1 as I16; true
  const std::string payload = std::string("\0\0\x80\x3f\0\0\0\xc0", 8) +
                              std::string("\x80\x3f\0\xc0", 4) + std::string("\0\x3c\0\xc0", 4) +
                              std::string("\0\0\0\0\0\0\x08\x40", 8) + "\xff" + "\xff\xff" + "\1";
  const std::string json =
      R"({"__metadata__":{"format":"pt","note":""},"b":)" + tensor("BF16", "[2,1]", "[8,12]") +
      R"(,"h":)" + tensor("F16", "[1,2]", "[12,16]") + R"(,"f":)" + tensor("F32", "[2]", "[0,8]") +
      R"(,"d":)" + tensor("F64", "[]", "[16,24]") + R"(,"u":)" + tensor("U8", "[1]", "[24,25]") +
      R"(,"i":)" + tensor("I16", "[1]", "[25,27]") + R"(,"o":)" + tensor("BOOL", "[1]", "[27,28]") +
      R"(,"e":)" + tensor("F32", "[0,3]", "[28,28]") + "}  ";
  const std::string bytes = safetensors_of(json, payload);
  const SafetensorsFile file(file_with(bytes));
  REQUIRE(file.names() == std::vector<std::string>{"f", "b", "h", "d", "u", "i", "o", "e"});
  REQUIRE(file.metadata().at("format") == "pt");
  REQUIRE(file.metadata().size() == 2);
  REQUIRE(file.entries()[1].dtype == "BF16");
  for (const char* const name : {"f", "b", "h"}) {
    REQUIRE(file.read(name).as<float>() == std::vector<float>{1, -2});
  }
  REQUIRE(file.read("b").type == NumberType::bf16);
  REQUIRE(file.read("b").shape == std::vector<Index>{2, 1});
  REQUIRE(file.read("d").shape.empty());
  REQUIRE(file.read("d").as<double>() == std::vector<double>{3});
  REQUIRE(file.read("u").as<int>() == std::vector<int>{255});
  REQUIRE(file.read("i").as<int>() == std::vector<int>{-1});
  REQUIRE(file.read("o").as<int>() == std::vector<int>{1});
  REQUIRE(file.read("e").as<float>().empty());
  REQUIRE(file.read("f").name == "a.safetensors[f]");
  REQUIRE(file.contains("f"));
  REQUIRE_FALSE(file.contains("g"));
}

TEST_CASE("safetensors: no metadata may be written as null", "[unit][safetensors]") {
  const std::string bytes =
      safetensors_of(R"({"__metadata__": null,"x":)" + tensor("F32", "[1]", "[0,4]") + "}",
                     std::string("\0\0\x80\x3f", 4));
  const SafetensorsFile file(file_with(bytes));
  REQUIRE(file.metadata().empty());
  REQUIRE(file.names() == std::vector<std::string>{"x"});
  REQUIRE(file.read("x").as<float>() == std::vector<float>{1});
}

TEST_CASE("safetensors: tensors are shared with the mapped file wherever they begin",
          "[unit][safetensors]") {
  const support::Folder folder;
  const auto path = folder.path / "a.safetensors";
  const std::string one("\0\0\x80\x3f", 4);
  std::string json = R"({"x":)" + tensor("F32", "[1,1,1]", "[0,4]") + "}";
  json.append(8 - json.size() % 8, ' ');
  for (int shift = 0; shift < 5; ++shift) {
    support::write_text(path, safetensors_of(json, one));
    diffseg::Layer layer;
    {
      const SafetensorsFile file(path);
      layer = diffseg::layer_from(file.read("x"));
    }
    std::filesystem::remove(path);
    REQUIRE(diffseg::detail::number_at(layer.type, layer.data, 0) == 1);
    REQUIRE(reinterpret_cast<std::uintptr_t>(layer.data) % 4096 == 8 + json.size());
    json += ' ';
  }
}

TEST_CASE("safetensors: types without an equal here are listed and refused on use",
          "[unit][safetensors]") {
  const std::pair<const char*, std::size_t> types[] = {
      {"F8_E4M3", 4}, {"F8_E5M2", 4}, {"C64", 32}, {"F4", 2}, {"F6_E2M3", 3}, {"NEWER", 4}};
  for (const auto& [dtype, bytes] : types) {
    const std::string text =
        safetensors_of(R"({"x":)" + tensor(dtype, "[4]", "[0," + std::to_string(bytes) + "]") + "}",
                       std::string(bytes, '\0'));
    REQUIRE(SafetensorsFile(file_with(text)).entries()[0].dtype == dtype);
    REQUIRE(safetensors_message(text) ==
            "a.safetensors[x]: dtype: " + std::string(dtype) +
                " is not read; save the tensor as F16, BF16, F32 or F64");
  }
}

TEST_CASE("safetensors: every malformed file gets a message of its own", "[unit][safetensors]") {
  const std::string x = tensor("F32", "[1]", "[0,4]");
  const std::string four(4, '\0');
  const std::string good = R"({"x":)" + x + "}";
  const auto one = [](const std::string& value) { return with(R"({"x":)" + value + "}"); };
  const auto shape = [&](const std::string& text) { return one(tensor("F32", text, "[0,4]")); };
  const auto offsets = [&](const std::string& text) { return one(tensor("F32", "[1]", text)); };
  const auto two = [&](const std::string& first, const std::string& second) {
    return safetensors_of(
        R"({"x":)" + tensor("F32", "[1]", first) + R"(,"y":)" + tensor("F32", "[1]", second) + "}",
        four + four);
  };
  const std::pair<std::string, const char*> cases[] = {
      {"", "file: is empty"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "git lfs pull"},
      {std::string("PK\3\4\0\0\0\0{", 9), "magic: is a file of numpy"},
      {std::string("\x93NUMPY\1\0v\0", 10), "magic: is a file of numpy"},
      {"\x89PNG\r\n\x1a\n and more", "magic: is not a safetensors file"},
      {number(2, 8), "header: is cut off"},
      {number(2, 4), "header: is cut off"},
      {number(0, 8) + "{}", "header: declares 0 bytes, the format allows 1 to 100000000"},
      {number(100'000'001, 8) + "{}", "header: declares 100000001 bytes"},
      {number(~0ULL, 8) + "{}", "header: declares 18446744073709551615 bytes"},
      {number(3, 8) + "{}", "header: declares 3 bytes, 2 are there; copy the file again"},
      {number(1, 8) + "{}", "header: is no JSON at byte "},
      {with("{\"x\":1,}"), "header: is no JSON at byte "},
      {with("{\"x\": nan}"), "header: is no JSON at byte "},
      {with("{\"\xff\": 1}"), "header: is no JSON at byte "},
      {with("{} {}"), "header: is no JSON at byte "},
      {with(std::string("{}\0", 3)), "header: is no JSON at byte "},
      {with(" {}"), "magic: is not a safetensors file"},
      {with("[1]"), "magic: is not a safetensors file"},
      {with(R"({"x":)" + x + R"(,"x":)" + x + "}"), "header: holds 'x' twice"},
      {one(R"({"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]})"), "'dtype' twice"},
      {one(R"({"dtype":"F32","shape":[[1]],"data_offsets":[0,4]})"), "header: is nested deeper"},
      {one(R"({"dtype":{"a":{}},"shape":[1],"data_offsets":[0,4]})"), "header: is nested deeper"},
      {one(std::string(100000, '[')), "header: is nested deeper"},
      {one("1"), "header: tensor 'x' has no dtype"},
      {one("[]"), "header: tensor 'x' has no dtype"},
      {one("{}"), "header: tensor 'x' has no dtype"},
      {one(R"({"dtype":"F32"})"), "header: tensor 'x' has no shape"},
      {one(R"({"dtype":"F32","shape":[1]})"), "header: tensor 'x' has no data_offsets"},
      {one(R"({"dtype":4,"shape":[1],"data_offsets":[0,4]})"), "dtype: of 'x' must be a text"},
      {shape("1"), "shape: of 'x' must be a list of whole numbers >= 0"},
      {shape("[-1]"), "shape: of 'x' must be a list of whole numbers >= 0"},
      {shape("[1.0]"), "shape: of 'x' must be a list of whole numbers >= 0"},
      {shape("[\"1\"]"), "shape: of 'x' must be a list of whole numbers >= 0"},
      {shape("[null]"), "shape: of 'x' must be a list of whole numbers >= 0"},
      {shape("[99999999999999999999]"), "shape: of 'x' must be a list of whole numbers >= 0"},
      {shape("[1e999]"), "header: holds a number that is too large"},
      {shape("[9223372036854775808]"), "shape: of 'x' has an extent larger than any array"},
      {shape("[4294967296,4294967296]"), "shape: of 'x' declares more numbers than any memory"},
      {shape("[2]"), "data_offsets: 'x' has 4 bytes, its shape and dtype need 8"},
      {shape("[0]"), "data_offsets: 'x' has 4 bytes, its shape and dtype need 0"},
      {one(tensor("F16", "[1]", "[0,4]")), "'x' has 4 bytes, its shape and dtype need 2"},
      {one(tensor("F4", "[7]", "[0,4]")), "data_offsets: 'x' has 4 bytes"},
      {shape("[" +
             [] {
               std::string ones = "1";
               for (int i = 0; i < 64; ++i) ones += ",1";
               return ones;
             }() +
             "]"),
       "shape: of 'x' has more than 64 numbers"},
      {offsets("4"), "data_offsets: of 'x' must be a list of whole numbers >= 0"},
      {offsets("[0]"), "data_offsets: of 'x' must be two, got 1"},
      {offsets("[0,4,8]"), "data_offsets: of 'x' must be two, got 3"},
      {offsets("[-4,0]"), "data_offsets: of 'x' must be a list of whole numbers >= 0"},
      {offsets("[4,0]"), "data_offsets: of 'x' must not end before they begin"},
      {offsets("[0,8]"), "payload: is cut off, 'x' ends at byte 8 of 4; copy the file again"},
      {offsets("[0,18446744073709551615]"), "payload: is cut off, 'x' ends at byte 184467440737"},
      {offsets("[1,4]"), "data_offsets: 'x' has 3 bytes"},
      {safetensors_of(good, four + "x"), "payload: 1 bytes follow the last tensor"},
      {safetensors_of(good, "abc"), "payload: is cut off, 'x' ends at byte 4 of 3"},
      {safetensors_of(R"({"x":)" + tensor("F32", "[1]", "[4,8]") + "}", four + four),
       "data_offsets: bytes 0 to 4, before 'x', belong to no tensor"},
      {two("[0,4]", "[0,4]"), "data_offsets: 'y' begins at byte 0, within another tensor"},
      {two("[0,4]", "[2,6]"), "data_offsets: 'y' begins at byte 2, within another tensor"},
      {safetensors_of("{}", four), "payload: 4 bytes follow the last tensor"},
      {with(R"({"__metadata__":1})"), "__metadata__: must be an object of texts"},
      {with(R"({"__metadata__":{"a":null}})"), "__metadata__: 'a' must be a text"},
      {with(R"({"__metadata__":{"a":1}})"), "__metadata__: 'a' must be a text"},
      {with(R"({"__metadata__":{"a":"b"},"__metadata__":{}})"), "'__metadata__' twice"},
      {with(R"({"y":)" + x + "}"), "tensor: there is no 'x' among 1; names() lists them"},
  };
  REQUIRE(safetensors_message(with(good)) == "was read");
  for (const auto& [bytes, expected] : cases) {
    const std::string message = safetensors_message(bytes);
    CAPTURE(expected, message);
    CHECK(message.starts_with("a.safetensors"));
    CHECK(message.find(expected) != std::string::npos);
    CHECK((message.find("; ") != std::string::npos));
  }
  REQUIRE(std::size(cases) >= 40);
}

TEST_CASE("safetensors: every cut of a file is refused", "[unit][safetensors]") {
  const std::string whole = with(R"({"x":)" + tensor("F32", "[1]", "[0,4]") + "}");
  REQUIRE(safetensors_message(whole) == "was read");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    REQUIRE(safetensors_message(whole.substr(0, length)).starts_with("a.safetensors: "));
  }
}

TEST_CASE("safetensors: any damaged byte is harmless", "[law][safetensors]") {
  const std::string whole = with(R"({"x":)" + tensor("F32", "[1]", "[0,4]") + "}");
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int flip = 1; flip < 256; ++flip) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      const std::string message = safetensors_message(bytes);
      CAPTURE(at, flip, message);
      REQUIRE((message == "was read" || message.starts_with("a.safetensors")));
    }
  }
}

TEST_CASE("safetensors: tensors in any order of names keep their numbers", "[law][safetensors]") {
  support::Random random(6);
  INFO(random.note());
  for (int round = 0; round < 50; ++round) {
    const auto count = static_cast<std::size_t>(random.integer(1, 9));
    std::vector<std::string> items(count);
    std::vector<std::vector<float>> values(count);
    std::string payload;
    for (std::size_t i = 0; i < count; ++i) {
      const Index size = random.integer(0, 5);
      const std::size_t begin = payload.size();
      for (Index k = 0; k < size; ++k) {
        values[i].push_back(static_cast<float>(random.uniform()));
        payload.append(reinterpret_cast<const char*>(&values[i].back()), 4);
      }
      items[i] = "\"" + std::to_string(i) + "\":" +
                 tensor("F32", "[" + std::to_string(size) + "]",
                        "[" + std::to_string(begin) + "," + std::to_string(payload.size()) + "]");
    }
    for (std::size_t i = count; i-- > 1;) {
      std::swap(items[i], items[static_cast<std::size_t>(random.integer(0, Index(i)))]);
    }
    std::string json = "{";
    for (const std::string& item : items) json += (json.size() > 1 ? "," : "") + item;
    const std::string bytes = safetensors_of(json + "}", payload);
    const SafetensorsFile file(file_with(bytes));
    for (std::size_t i = 0; i < count; ++i) {
      REQUIRE(file.read(std::to_string(i)).as<float>() == values[i]);
    }
  }
}
