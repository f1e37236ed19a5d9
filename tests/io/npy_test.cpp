// SPDX-License-Identifier: MIT
#include <diffseg/io/npy.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"
#include "support/random.hpp"

namespace {

using diffseg::Index;
using diffseg::NumberType;
using diffseg::Tensor;
using support::Folder;
using support::text_of;

Tensor parse(const std::string& file) {
  return diffseg::parse_npy(std::as_bytes(std::span(file)), "a.npy");
}

std::string file(const std::string& dictionary, const std::string& payload) {
  return support::npy_file(dictionary, payload);
}

std::string file_of(const std::string& descr, const std::string& shape, const std::string& payload,
                    const std::string& fortran = "False") {
  return support::npy_of(descr, shape, payload, fortran);
}

std::string npy_message(const std::string& bytes) {
  return support::message_of([&] { return parse(bytes); });
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
    REQUIRE(std::equal(big.bytes.begin(), big.bytes.end(), little.bytes.begin()));
    REQUIRE(big.shape == std::vector<Index>{2});
    REQUIRE(big.type == NumberType::f32);
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
      {descr(std::string("\0\x1b[", 3)), "got '??['; convert the array with astype"},
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
    const std::string message = npy_message(bytes);
    CAPTURE(expected, message);
    CHECK(message.starts_with("a.npy: "));
    CHECK(message.find(expected) != std::string::npos);
    CHECK((message.find("; ") != std::string::npos));
  }
  REQUIRE(std::size(cases) >= 40);
}

TEST_CASE("npy: every cut of a file is refused", "[unit][npy]") {
  const std::string whole = file_of("<f4", "(2, 2)", std::string(16, '\1'));
  REQUIRE(npy_message(whole) == "was read");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    REQUIRE(npy_message(whole.substr(0, length)).starts_with("a.npy: "));
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
    REQUIRE(diffseg::number_bytes(array.type) == sizeof(TestType));
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
  const auto message = [](const std::filesystem::path& path) {
    return support::message_of([&] { return diffseg::read_npy(path); });
  };
  REQUIRE(
      message(folder.path / "none.npy") ==
      (folder.path / "none.npy").string() +
          ": file: cannot be opened, No such file or directory; check that it is a file and may be "
          "read");
  REQUIRE(message(folder.path).find("cannot be opened, it is a folder") != std::string::npos);
  support::write_text(folder.path / "empty.npy", "");
  REQUIRE(message(folder.path / "empty.npy").find("file: is empty") != std::string::npos);
  // The header lies within the first read, the numbers beyond it.
  const auto path = folder.path / "large.npy";
  diffseg::write_npy<double>(path, {100, 200}, std::vector<double>(20000, 1.5));
  REQUIRE(diffseg::read_npy(path).as<float>() == std::vector<float>(20000, 1.5F));
  std::filesystem::resize_file(path, 100000);
  REQUIRE(message(path).find("payload: is cut off, 99872 of 160000 bytes") != std::string::npos);
}

TEST_CASE("npy: numbers are shared with the mapped file where they can be used in place",
          "[unit][npy]") {
  const Folder folder;
  const auto path = folder.path / "a.npy";
  const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8};
  const auto read = [&](const std::string& bytes) {
    support::write_text(path, bytes);
    const auto file = diffseg::map_file(path);
    const Tensor tensor = diffseg::parse_npy(file);
    const bool inside = tensor.bytes.data() >= file.bytes.data() &&
                        tensor.bytes.data() < file.bytes.data() + file.bytes.size();
    REQUIRE(inside == (tensor.owner == file.owner));
    return std::pair(inside, tensor.as<float>());
  };
  diffseg::write_npy<float>(path, {2, 2, 2}, values);
  const std::string good = text_of(path);
  REQUIRE(read(good) == std::pair(true, values));
  const std::string payload = good.substr(good.size() - 32);
  const std::string front = "{'descr': '<f4', 'fortran_order': False, 'shape': (8,)}";
  for (std::size_t spaces = 0; spaces < 4; ++spaces) {  // at any byte
    const std::string header = front + std::string(spaces, ' ');
    REQUIRE(read(file(header, payload)) == std::pair(true, values));
  }
  REQUIRE(read(file_of("<f4", "(2, 4)", payload, "True")) ==
          std::pair(false, std::vector<float>{1, 3, 5, 7, 2, 4, 6, 8}));
  REQUIRE(read(file_of("|u1", "(8,)", "\1\2\3\4\5\6\7\x08", "True")) == std::pair(true, values));
}

TEST_CASE("npy: large copies are whole for any number of threads", "[law][npy]") {
  support::Random random(17);
  INFO(random.note());
  std::string payload(5'000'004, '\0');
  for (char& byte : payload) byte = static_cast<char>(random.integer(0, 255));
  const std::string whole = file_of("<f4", "(1250001,)", payload);
  for (const int threads : {1, 2, 3, 4, 8}) {
    const diffseg::ThreadLimit limit(threads);
    const Tensor tensor = parse(whole);
    CAPTURE(threads);
    REQUIRE((diffseg::detail::text_of(tensor.bytes) == payload));
  }
}

TEST_CASE("npy: numbers outlive the file's name and handle", "[unit][npy]") {
  const Folder folder;
  diffseg::write_npy<float>(folder.path / "a.npy", {2}, std::vector<float>{1, 2});
  const Tensor before = diffseg::read_npy(folder.path / "a.npy");
  diffseg::write_npy<float>(folder.path / "a.npy", {2}, std::vector<float>{3, 4});
  REQUIRE(before.as<float>() == std::vector<float>{1, 2});
  REQUIRE(diffseg::read_npy(folder.path / "a.npy").as<float>() == std::vector<float>{3, 4});
  std::filesystem::remove(folder.path / "a.npy");
  REQUIRE(before.as<double>() == std::vector<double>{1, 2});
}

TEST_CASE("npy: Fortran order equals the transposed array of any shape", "[law][npy]") {
  support::Random random(20);
  INFO(random.note());
  for (int round = 0; round < 200; ++round) {
    std::vector<Index> shape(static_cast<std::size_t>(random.integer(1, 5)));
    Index count = 1;
    for (Index& extent : shape) count *= extent = random.integer(0, round % 2 == 0 ? 4 : 9);
    std::string text = "(";
    for (const Index extent : shape) text += std::to_string(extent) + ",";
    std::vector<std::uint16_t> expected(static_cast<std::size_t>(count));
    std::string payload(expected.size() * 2, '\0');
    for (Index i = 0; i < count; ++i) {  // index i row by row, `at` column by column
      expected[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>(i);
      Index at = 0;
      Index stride = count;
      Index rest = i;
      for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) {
        stride /= shape[axis];
        at += rest % shape[axis] * stride;
      }
      const auto target = static_cast<std::size_t>(at) * 2;
      payload[target] = static_cast<char>(i & 255);
      payload[target + 1] = static_cast<char>(i >> 8);
    }
    CAPTURE(text);
    REQUIRE(parse(file_of("<u2", text + ")", payload, "True")).as<std::uint16_t>() == expected);
  }
}

TEST_CASE("layer_from: shapes become grids without a copy", "[unit][npy]") {
  const auto tensor = [](const std::string& shape, std::size_t count, const char* descr = "<f2") {
    return parse(file_of(descr, shape, std::string(2 * count, '\0')));
  };
  const auto grids = [](const diffseg::Layer& layer) {
    return std::vector<Index>{layer.heads, layer.queries.height, layer.queries.width,
                              layer.keys.height, layer.keys.width};
  };
  const auto square = tensor("(3, 4, 4)", 48);
  const auto layer = diffseg::layer_from(square);
  REQUIRE(grids(layer) == std::vector<Index>{3, 2, 2, 2, 2});
  REQUIRE(layer.data == square.bytes.data());
  REQUIRE(layer.owner == square.owner);
  REQUIRE(layer.type == diffseg::ElementType::f16);
  REQUIRE(grids(diffseg::layer_from(tensor("(1, 6, 6)", 36), {.queries = {2, 3}})) ==
          std::vector<Index>{1, 2, 3, 2, 3});
  REQUIRE(grids(diffseg::layer_from(tensor("(1, 4, 9)", 36))) == std::vector<Index>{1, 2, 2, 3, 3});
  REQUIRE(grids(diffseg::layer_from(tensor("(1, 4, 7)", 28), {.keys = {1, 7}})) ==
          std::vector<Index>{1, 2, 2, 1, 7});
  REQUIRE(grids(diffseg::layer_from(tensor("(2, 2, 3, 6)", 72))) ==
          std::vector<Index>{2, 2, 3, 2, 3});
  REQUIRE(grids(diffseg::layer_from(tensor("(2, 2, 3, 7)", 84), {.keys = {1, 7}})) ==
          std::vector<Index>{2, 2, 3, 1, 7});
  REQUIRE(grids(diffseg::layer_from(tensor("(1, 2, 3, 3, 2)", 36))) ==
          std::vector<Index>{1, 2, 3, 3, 2});
  // A mean over heads; a batch of one, also on a grid, unless the tokens are drawn as one.
  REQUIRE(grids(diffseg::layer_from(tensor("(9, 9)", 81))) == std::vector<Index>{1, 3, 3, 3, 3});
  REQUIRE(grids(diffseg::layer_from(tensor("(1, 3, 4, 4)", 48))) ==
          std::vector<Index>{3, 2, 2, 2, 2});
  REQUIRE(grids(diffseg::layer_from(tensor("(1, 1, 6, 6)", 36), {.queries = {3, 2}})) ==
          std::vector<Index>{1, 3, 2, 3, 2});
  REQUIRE(grids(diffseg::layer_from(tensor("(1, 2, 4, 4)", 32), {.keys = {2, 2}})) ==
          std::vector<Index>{1, 2, 4, 2, 2});
}

TEST_CASE("layer_from: tokens that are no cells are skipped without a copy", "[unit][npy]") {
  const auto tensor = [](const std::string& shape, std::size_t count) {
    return parse(file_of("<f2", shape, std::string(2 * count, '\0')));
  };
  for (const auto& file : {tensor("(2, 7, 7)", 98), tensor("(1, 2, 7, 7)", 98)}) {
    const auto layer = diffseg::layer_from(file, {.queries = {2, 3}, .skip = {.first = 1}});
    REQUIRE(layer.data == file.bytes.data() + 2 * 8);
    REQUIRE(layer.owner == file.owner);
    REQUIRE(layer.heads == 2);
    REQUIRE(layer.queries == diffseg::GridSize{2, 3});
    REQUIRE(layer.keys == diffseg::GridSize{2, 3});
    REQUIRE(layer.query_step() == 7);
    REQUIRE(layer.partial);
  }
  const auto square = diffseg::layer_from(tensor("(7, 7)", 49), {.skip = {.first = 1, .last = 2}});
  REQUIRE(square.queries == diffseg::GridSize{2, 2});
  const auto text = [&](const diffseg::LayerGrids& grids, const std::string& shape = "(2, 7, 7)",
                        std::size_t count = 98) {
    const Tensor file = tensor(shape, count);
    return support::message_of([&] { return diffseg::layer_from(file, grids); });
  };
  REQUIRE(text({.skip = {.first = 2}}) ==
          "a.npy: shape: holds 5 queries that are not skipped, no square; give their grid, one of "
          "1 x 5 (text tokens are one row)");
  REQUIRE(text({.queries = {2, 2}, .skip = {.first = 1}})
              .find("holds 6 queries that are not skipped, not on a grid of 2 x 2, unless 2 of") !=
          std::string::npos);
  REQUIRE(text({.skip = {.last = 8}}) ==
          "a.npy: skip: must skip 0 .. 7 tokens in front and at the end, got 0 and 8; skip fewer");
  REQUIRE(text({.skip = {.first = 1}}, "(2, 7, 5)", 70) ==
          "a.npy: skip: tokens can be skipped of [heads, n, n], [1, heads, n, n] and [n, n], got "
          "[2, 7, 5]; reshape it");
  REQUIRE(text({.keys = {1, 7}, .skip = {.first = 1}})
              .find("keys must be on the grid of the queries") != std::string::npos);
}

TEST_CASE("layer_from: what is no attention is refused in words", "[unit][npy]") {
  const auto message = [](const std::string& shape, std::size_t bytes,
                          const diffseg::LayerGrids& grids = {}, const char* descr = "<f2") {
    const Tensor tensor = parse(file_of(descr, shape, std::string(bytes, '\0')));
    return support::message_of([&] { return diffseg::layer_from(tensor, grids); });
  };
  REQUIRE(message("(6, 5)", 60) ==
          "a.npy: shape: attention is [heads, queries, keys], [n, n], [1, heads, n, n], "
          "[heads, h, w, keys] or [heads, h, w, h, w], got [6, 5]; reshape it");
  REQUIRE(message("(1, 26, 26)", 1352) ==
          "a.npy: shape: holds 26 queries, no square, but 5 x 5 after skipping 1 in front (a class "
          "token); give their grid, one of 2 x 13, 1 x 26 (text tokens are one row)");
  REQUIRE(
      message("(1, 2, 29, 29)", 3364).find("5 x 5 after skipping 4 in front (register tokens)") !=
      std::string::npos);
  REQUIRE(message("(30, 30)", 1800)
              .find("5 x 5 after skipping 5 in front (a class token and registers)") !=
          std::string::npos);
  REQUIRE(message("(1, 7, 7)", 98, {.queries = {2, 3}})
              .find("not on a grid of 2 x 3, but 2 x 3 after skipping 1 in front") !=
          std::string::npos);
  REQUIRE(message("(1, 9, 9)", 162, {.queries = {2, 3}})
              .find("not on a grid of 2 x 3, unless 3 of them are no cells (text) and are "
                    "skipped; give one of 3 x 3") != std::string::npos);
  REQUIRE(message("(0, 4, 4)", 0).find("got [0, 4, 4]; reshape it") != std::string::npos);
  REQUIRE(message("(1, 1, 1, 1, 1, 1)", 2).find("[1, 1, 1, 1, 1, 1]") != std::string::npos);
  REQUIRE(message("(1, 4, 4)", 64, {}, "<i4") ==
          "a.npy: type: attention must be floating point numbers; save it as float32");
  REQUIRE(message("(1, 96, 1)", 192) ==
          "a.npy: shape: holds 96 queries, no square; give their grid, one of 8 x 12, 6 x 16, "
          "4 x 24, 3 x 32, 2 x 48, 1 x 96 (text tokens are one row)");
  REQUIRE(message("(1, 4, 77)", 616)
              .find("holds 77 keys, no square; give their grid, one of "
                    "7 x 11, 1 x 77") != std::string::npos);
  REQUIRE(message("(1, 6, 6)", 72, {.queries = {2, 4}})
              .find("not on a grid of 2 x 4; give one of "
                    "2 x 3, 1 x 6") != std::string::npos);
  REQUIRE(message("(1, 6, 6)", 72, {.queries = {0, 6}}).find("grid of 0 x 6") != std::string::npos);
  REQUIRE(message("(1, 6, 6)", 72, {.queries = {-2, -3}}).find("grid of -2 x -3") !=
          std::string::npos);
  REQUIRE(message("(1, 2, 3, 6)", 72, {.queries = {3, 2}})
              .find("grid of 3 x 2; give none or "
                    "2 x 3") != std::string::npos);
  REQUIRE(message("(1, 2, 3, 3, 2)", 72, {.keys = {2, 3}})
              .find("holds 6 keys, not on a grid of "
                    "2 x 3") != std::string::npos);
  REQUIRE(message("(2, 3, 4, 4)", 192).find("[heads, h, w, keys] has 12 queries and 4 keys") !=
          std::string::npos);
  REQUIRE(message("(1, 5040, 1)", 10080)
              .find("70 x 72, 63 x 80, 60 x 84, 56 x 90, 48 x 105, "
                    "45 x 112, 42 x 120, 40 x 126, ...") != std::string::npos);
  REQUIRE_THROWS_AS(diffseg::layer_from({"a", NumberType::f32, {1, 4, 4}, {}, nullptr}),
                    std::invalid_argument);
}

TEST_CASE("class and register tokens are told by the squares they leave", "[unit][npy]") {
  REQUIRE(diffseg::detail::leading_tokens(1297) == 1);
  REQUIRE(diffseg::detail::leading_tokens(1300) == 4);
  REQUIRE(diffseg::detail::leading_tokens(1301) == 5);
  REQUIRE(diffseg::detail::leading_tokens(1296 + 2) == 0);
  REQUIRE(diffseg::detail::leading_tokens(601, {20, 30}) == 1);
  REQUIRE(diffseg::detail::leading_tokens(605, {20, 30}) == 5);
  REQUIRE(diffseg::detail::leading_tokens(677, {20, 30}) == 0);
  REQUIRE(diffseg::detail::leading_tokens(6) == 0);  // 1 x 1 is no image
  REQUIRE(diffseg::detail::leading_tokens(17) == 1);
}

TEST_CASE("npy: items that are no numbers are told from damage", "[unit][npy]") {
  const std::string four(4, '\0');
  REQUIRE_THROWS_AS(parse(file_of("<U1", "()", four)), diffseg::type_error);
  REQUIRE_THROWS_AS(parse(file_of("|O", "()", four)), diffseg::type_error);
  try {
    (void)parse(file_of("<f4", "(2,)", four));
    FAIL("was read");
  } catch (const diffseg::type_error&) {
    FAIL("a cut payload is no type");
  } catch (const diffseg::io_error&) {
  }
}

TEST_CASE("io_error is a runtime_error with its message", "[check]") {
  try {
    throw diffseg::io_error("a.npy: truncated");
  } catch (const std::runtime_error& error) {
    REQUIRE(std::string(error.what()) == "a.npy: truncated");
  }
}
