// SPDX-License-Identifier: MIT
#include <diffseg/io/npy.hpp>

#include <chrono>
#include <iterator>

#include "support/catch.hpp"

namespace {

using diffseg::Index;
using diffseg::NpyArray;

NpyArray parse(const std::string& file) {
  return diffseg::parse_npy(std::as_bytes(std::span(file)), "a.npy");
}

/// A file of version 1.0 with `dictionary` as its header.
std::string file(const std::string& dictionary, const std::string& payload) {
  std::string front("\x93NUMPY\x01\0", 8);
  front += static_cast<char>(dictionary.size() & 255);
  front += static_cast<char>(dictionary.size() >> 8);
  return front + dictionary + payload;
}

std::string file_of(const std::string& descr, const std::string& shape, const std::string& payload,
                    const std::string& fortran = "False") {
  return file(
      "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n",
      payload);
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A folder of its own, gone at the end.
struct Folder {
  std::filesystem::path path;
  Folder() : path(std::filesystem::temp_directory_path() / unique()) {
    std::filesystem::create_directory(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  static std::string unique() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    return "diffseg_npy_test_" + std::to_string(now);
  }
};

std::string message_of(const std::string& bytes) {
  try {
    static_cast<void>(parse(bytes));
  } catch (const diffseg::io_error& error) {
    return error.what();
  }
  return "was read";
}

}  // namespace

TEST_CASE("npy: files worked out by hand are read", "[unit][npy]") {
  const std::string zeros(4, '\0');
  SECTION("little and big endian") {
    // 1 = 0x3f800000, -2 = 0xc0000000
    const auto little = parse(file_of("<f4", "(2,)", std::string("\0\0\x80\x3f\0\0\0\xc0", 8)));
    const auto big = parse(file_of(">f4", "(2,)", std::string("\x3f\x80\0\0\xc0\0\0\0", 8)));
    REQUIRE(little.as<float>() == std::vector<float>{1, -2});
    REQUIRE(big.as<double>() == std::vector<double>{1, -2});
    REQUIRE(big.bytes == little.bytes);
    REQUIRE(big.shape == std::vector<Index>{2});
    REQUIRE(big.kind == 'f');
    REQUIRE(big.item_bytes == 4);
  }
  SECTION("half and double precision") {
    REQUIRE(parse(file_of("<f2", "(2,)", std::string("\0\x3c\0\xb8", 4))).as<float>() ==
            std::vector<float>{1.0F, -0.5F});
    REQUIRE(parse(file_of(">f8", "(1,)", std::string("\x40\x08\0\0\0\0\0\0", 8))).as<float>() ==
            std::vector<float>{3.0F});
  }
  SECTION("integers keep their sign and width") {
    REQUIRE(parse(file_of("|u1", "(2,)", "\x01\xff")).as<int>() == std::vector<int>{1, 255});
    REQUIRE(parse(file_of("|i1", "(1,)", "\xff")).as<int>() == std::vector<int>{-1});
    REQUIRE(parse(file_of("|b1", "(2,)", std::string("\1\0", 2))).as<int>() ==
            std::vector<int>{1, 0});
    REQUIRE(parse(file_of("<i2", "(1,)", "\xfe\xff")).as<float>() == std::vector<float>{-2});
    REQUIRE(parse(file_of(">u4", "(1,)", std::string("\0\0\1\2", 4))).as<int>() ==
            std::vector<int>{258});
    REQUIRE(parse(file_of("<i8", "(1,)", "\xff\xff\xff\xff\xff\xff\xff\xff")).as<int>() ==
            std::vector<int>{-1});
  }
  SECTION("Fortran order becomes row-major") {
    // [[1, 2, 3], [4, 5, 6]] by columns
    const auto flat = parse(file_of("|u1", "(2, 3)", "\1\4\2\5\3\6", "True"));
    REQUIRE(flat.as<int>() == std::vector<int>{1, 2, 3, 4, 5, 6});
    // element (i, j, k) = 4 i + 2 j + k
    const auto deep = parse(file_of("|u1", "(2,2,2)", std::string("\0\4\2\6\1\5\3\7", 8), "True"));
    REQUIRE(deep.as<int>() == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7});
    const auto wide = parse(file_of(">u2", "(2, 2)", std::string("\0\1\0\3\0\2\0\4", 8), "True"));
    REQUIRE(wide.as<int>() == std::vector<int>{1, 2, 3, 4});
  }
  SECTION("single numbers and empty arrays") {
    const auto single = parse(file_of("<f4", "()", zeros));
    REQUIRE(single.shape.empty());
    REQUIRE(single.as<float>() == std::vector<float>{0});
    const auto none = parse(file_of("<f4", "(3, 0)", ""));
    REQUIRE(none.shape == std::vector<Index>{3, 0});
    REQUIRE(none.as<float>().empty());
    REQUIRE(parse(file_of("<f4", "(3, 0)", "", "True")).count() == 0);
  }
  SECTION("versions 2.0 and 3.0 have a longer length") {
    const std::string text = "{'shape': (1,), 'fortran_order': False, 'descr': '<f4'}";
    for (const char version : {'\2', '\3'}) {
      std::string front("\x93NUMPY\0\0\0\0\0\0", 12);
      front[6] = version;
      front[8] = static_cast<char>(text.size());
      front += text;
      front += zeros;
      REQUIRE(parse(front).as<float>() == std::vector<float>{0});
    }
  }
  SECTION("any spelling of the dictionary") {
    REQUIRE(
        parse(file("{\"shape\":(1,),\"descr\":\"<f4\",\"fortran_order\":True}", zeros)).count() ==
        1);
    REQUIRE(
        parse(file(" {'descr' : '=f4' , 'fortran_order':False,\n'shape' : (1L, 1L )} \n", zeros))
            .shape == std::vector<Index>{1, 1});
  }
}

TEST_CASE("npy: every malformed file gets a message of its own", "[unit][npy]") {
  const std::string four(4, '\0');
  const std::string good = file_of("<f4", "(1,)", four);
  const auto with_version = [&](char major, char minor) {
    std::string bytes = good;
    bytes[6] = major;
    bytes[7] = minor;
    return bytes;
  };
  const auto shape = [&](const std::string& text) { return file_of("<f4", text, four); };
  const auto descr = [&](const std::string& text) { return file_of(text, "(1,)", four); };
  const std::string huge = std::string("\x93NUMPY\2\0", 8) + "\xff\xff\xff\x7f" + four;
  const std::string object = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }";
  const std::string fields = "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}";
  const std::string pair = "{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (1,)}";
  const std::pair<std::string, const char*> cases[] = {
      {"", "a.npy: file: is empty"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "git lfs pull"},
      {std::string("PK\3\4\0\0\0\0\0\0\0\0", 12), "magic: is a zip archive (.npz)"},
      {"\x89PNG\r\n\x1a\n and more", "magic: is not a .npy file"},
      {"\x93NUMP", "magic: is not a .npy file"},
      {std::string("\x93NUMPY\1\0", 8), "header: is cut off"},
      {good.substr(0, 40), "header: is cut off"},
      {with_version(0, 0), "version: must be 1.0, 2.0 or 3.0, got 0.0"},
      {with_version(4, 0), "got 4.0"},
      {with_version(1, 1), "got 1.1"},
      {huge, "header: declares 2147483647 bytes"},
      {file("", four), "header: cannot be read, expected { at character 0"},
      {file(std::string(40, '\0'), four), "expected { at character 0"},
      {file("{'descr': '<f4', 'fortran_order': False}", four), "expected the keys descr"},
      {file("{'descr': '<f4', 'descr': '<f4'}", four), "expected one each of descr"},
      {file("{'dtype': '<f4'}", four), "expected one each of descr"},
      {file("{'descr': '<f4", four), "expected a closing quote"},
      {file("{'descr': 4}", four), "expected a quoted word at character 10"},
      {file("{'descr' '<f4'}", four), "expected :"},
      {file("{'descr': '<f4' 'shape': (1,)}", four), "expected ',' or '}'"},
      {file("{'fortran_order': 1}", four), "expected True or False"},
      {file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", four), "expected the end"},
      {shape("(1)"), "expected ','"},
      {shape("(1 1)"), "expected ','"},
      {shape("1"), "expected ("},
      {shape("(-1,)"), "expected an extent >= 0"},
      {shape("(1.5,)"), "expected ','"},
      {shape("(,)"), "expected an extent >= 0"},
      {shape("(None,)"), "expected an extent >= 0"},
      {shape("(99999999999999999999,)"), "shape: an extent is larger than any array"},
      {shape("(4294967296, 4294967296)"), "shape: declares more numbers than any memory holds"},
      {shape("(2305843009213693952,)"), "shape: declares more numbers than any memory holds"},
      {shape("(" + std::string(130, ' ') +
             [] {
               std::string ones;
               for (int i = 0; i < 65; ++i) ones += "1,";
               return ones;
             }() +
             ")"),
       "at most 64 extents"},
      {shape("(1000000000000,)"), "payload: is cut off, 4 of 4000000000000 bytes are there"},
      {shape("(2,)"), "payload: is cut off, 4 of 8 bytes are there"},
      {shape("(0,)"), "payload: 4 bytes follow the array"},
      {good + "x", "payload: 1 bytes follow the array"},
      {file(object, four), "descr: Python objects are never read"},
      {descr("O"), "descr: Python objects are never read"},
      {file(fields, four), "descr: items of several fields are not read"},
      {file(pair, four), "descr: items of several fields are not read"},
      {descr("<c8"), "got '<c8'; convert the array with astype"},
      {descr("<f16"), "got '<f16'"},
      {descr("<f1"), "got '<f1'"},
      {descr("|S4"), "got '|S4'"},
      {descr("<U1"), "got '<U1'"},
      {descr("<M8[ns]"), "got '<M8[ns]'"},
      {descr("|V4"), "got '|V4'"},
      {descr("f4"), "with a byte order, got 'f4'"},
      {descr("|f4"), "with a byte order, got '|f4'"},
      {descr(""), "got ''"},
      {descr("<"), "got '<'"},
  };
  for (const auto& [bytes, expected] : cases) {
    const std::string message = message_of(bytes);
    CAPTURE(expected, message);
    CHECK(message.starts_with("a.npy: "));
    CHECK(message.find(expected) != std::string::npos);
    CHECK((message.find("; ") != std::string::npos));
  }
  REQUIRE(std::size(cases) >= 40);
}

TEST_CASE("npy: every cut of a file is refused", "[unit][npy]") {
  const std::string whole = file_of("<f4", "(2, 2)", std::string(16, '\1'));
  REQUIRE(message_of(whole) == "was read");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    REQUIRE(message_of(whole.substr(0, length)).starts_with("a.npy: "));
  }
}

TEST_CASE("npy: numbers that an integer cannot hold are refused", "[unit][npy]") {
  const auto wide = parse(file_of("<i8", "(1,)", std::string("\0\0\0\0\1\0\0\0", 8)));
  REQUIRE(wide.as<std::int64_t>() == std::vector<std::int64_t>{4294967296});
  REQUIRE_THROWS_AS(wide.as<std::int32_t>(), diffseg::io_error);
  REQUIRE_THROWS_AS(parse(file_of("|i1", "(1,)", "\xff")).as<unsigned>(), diffseg::io_error);
  REQUIRE_THROWS_AS(parse(file_of("<f4", "(1,)", std::string(4, '\0'))).as<int>(),
                    diffseg::io_error);
}

TEMPLATE_TEST_CASE("npy: what is written is read back", "[unit][npy]", float, double, Eigen::half,
                   std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t,
                   std::uint16_t, std::uint32_t, std::uint64_t) {
  const Folder folder;
  const auto path = folder.path / "a.npy";
  std::vector<TestType> values(24);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<TestType>(i * 5);
  for (const auto& shape : {std::vector<Index>{24}, {2, 3, 4}, {1, 24, 1}}) {
    diffseg::write_npy<TestType>(path, shape, values);
    const auto array = diffseg::read_npy(path);
    REQUIRE(array.shape == shape);
    REQUIRE(array.name == path.string());
    REQUIRE(array.item_bytes == sizeof(TestType));
    REQUIRE(array.as<TestType>() == values);
    REQUIRE((text_of(path).size() - array.bytes.size()) % 64 == 0);
  }
}

TEST_CASE("npy: the writer writes the bytes of numpy", "[unit][npy]") {
  const Folder folder;
  const std::vector<std::uint8_t> values{7, 8};
  diffseg::write_npy<std::uint8_t>(folder.path / "a.npy", {2}, values);
  const std::string text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }";
  REQUIRE(text_of(folder.path / "a.npy") == std::string("\x93NUMPY\1\0\x76\0", 10) + text +
                                                std::string(117 - text.size(), ' ') + "\n\7\x08");
  diffseg::write_npy<std::uint8_t>(folder.path / "b.npy", {}, std::span(values).first(1));
  REQUIRE(text_of(folder.path / "b.npy").find("'shape': (), }") != std::string::npos);
  diffseg::write_npy<std::uint8_t>(folder.path / "c.npy", {1, 2}, values);
  REQUIRE(text_of(folder.path / "c.npy").find("'shape': (1, 2), }") != std::string::npos);
}

TEST_CASE("npy: a failed write leaves nothing behind", "[unit][npy]") {
  const Folder folder;
  const std::vector<float> values{1, 2};
  REQUIRE_THROWS_AS(diffseg::write_npy<float>(folder.path / "a.npy", {3}, values),
                    std::invalid_argument);
  REQUIRE_THROWS_AS(diffseg::write_npy<float>(folder.path / "a.npy", {-1, -2}, values),
                    std::invalid_argument);
  REQUIRE_THROWS_AS(diffseg::write_npy<float>(folder.path / "no" / "a.npy", {2}, values),
                    diffseg::io_error);
  const auto taken = folder.path / "taken";
  std::filesystem::create_directories(taken / "full");
  REQUIRE_THROWS_AS(diffseg::write_npy<float>(taken, {2}, values), diffseg::io_error);
  std::filesystem::remove_all(taken);
  REQUIRE(std::filesystem::is_empty(folder.path));
}

TEST_CASE("npy: what is not a readable file is refused by name", "[unit][npy]") {
  const Folder folder;
  const auto message = [](const std::filesystem::path& path) -> std::string {
    try {
      static_cast<void>(diffseg::read_npy(path));
    } catch (const diffseg::io_error& error) {
      return error.what();
    }
    return "was read";
  };
  REQUIRE(message(folder.path / "none.npy") ==
          (folder.path / "none.npy").string() +
              ": file: cannot be opened; check that it is a file and may be read");
  REQUIRE(message(folder.path).find("file: cannot be opened") != std::string::npos);
  // The header lies within the first read, the numbers beyond it.
  const auto path = folder.path / "large.npy";
  diffseg::write_npy<double>(path, {100, 200}, std::vector<double>(20000, 1.5));
  REQUIRE(diffseg::read_npy(path).as<float>() == std::vector<float>(20000, 1.5F));
  std::filesystem::resize_file(path, 100000);
  REQUIRE(message(path).find("payload: is cut off, 99872 of 160000 bytes") != std::string::npos);
}
