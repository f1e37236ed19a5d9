// SPDX-License-Identifier: MIT
#include <diffseg/io/npz.hpp>
#include <diffseg/io/npz_deflate.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"
#include "support/random.hpp"

namespace {

using diffseg::inflate_zlib;
using diffseg::NpzFile;

/// `bytes` as a raw deflate stream.
std::string deflate_of(const std::string& bytes, int level) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string input = bytes;
  std::string packed(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  deflateEnd(&stream);
  return packed.substr(0, packed.size() - stream.avail_out);
}

diffseg::Inflated inflate(const std::string& packed, std::string& to) {
  return inflate_zlib(std::as_bytes(std::span(packed)), std::as_writable_bytes(std::span(to)));
}

std::string read(const std::string& array, const std::string& packed, std::vector<float>& values) {
  const std::string bytes = support::zip_of({{"x.npy", array, 8, packed}}).bytes;
  return support::message_of([&] {
    values = NpzFile({"a.npz", std::as_bytes(std::span(bytes)), nullptr}, inflate_zlib)
                 .read("x")
                 .as<float>();
    return 0;
  });
}

}  // namespace

TEST_CASE("npz_deflate: what zlib packed is unpacked", "[law][npz][long]") {
  support::Random random(8);
  INFO(random.note());
  for (const int level : {0, 1, 9}) {
    for (const diffseg::Index size : {0, 1, 100, 30000, 200000}) {
      std::string payload(static_cast<std::size_t>(4 * size), '\0');
      std::vector<float> expected;
      for (std::size_t i = 0; i < payload.size(); i += 4) {
        expected.push_back(static_cast<float>(random.integer(0, 9)));
        std::memcpy(&payload[i], &expected.back(), 4);
      }
      const std::string array = support::npy_of("<f4", "(" + std::to_string(size) + ",)", payload);
      std::vector<float> values;
      REQUIRE(read(array, deflate_of(array, level), values) == "was read");
      REQUIRE(values == expected);
    }
  }
}

TEST_CASE("npz_deflate: the stream's end is found exactly", "[unit][npz]") {
  const std::string text(1000, 'a');
  const std::string packed = deflate_of(text, 9);
  const auto inflated = [](const std::string& bytes, std::size_t room) {
    std::string to(room, '\0');
    const auto result = inflate(bytes, to);
    return std::pair(result.bytes, result.ended);
  };
  using Pair = std::pair<std::size_t, bool>;
  REQUIRE(inflated(packed, 1000) == Pair(1000, true));
  REQUIRE(inflated(packed, 2000) == Pair(1000, true));
  REQUIRE(inflated(packed, 999).first == 1000);
  REQUIRE(inflated(packed, 10) == Pair(11, false));
  REQUIRE(inflated(packed, 0) == Pair(1, false));
  REQUIRE(inflated(packed + "x", 1000) == Pair(1000, false));
  REQUIRE_FALSE(inflated(packed.substr(0, packed.size() - 1), 1000).second);
  REQUIRE(inflated("\7", 1000) == Pair(0, false));
  REQUIRE(inflated("", 1000) == Pair(0, false));
}

TEST_CASE("npz_deflate: nothing behind the stream is read", "[unit][npz]") {
  // Two blocks, of which the caller gives the first; the second lies right behind it.
  std::string first = support::stored_block("abcd");
  first[0] = '\0';  // not the last
  const std::string both = first + support::stored_block("e");
  std::string to(4, '\0');
  const auto room = std::as_writable_bytes(std::span(to));
  const auto result = inflate_zlib(std::as_bytes(std::span(both).first(first.size())), room);
  REQUIRE(result.bytes == 4);
  REQUIRE_FALSE(result.ended);
  REQUIRE(to == "abcd");
}

TEST_CASE("npz_deflate: bombs and damage are refused before memory is taken", "[unit][npz]") {
  std::vector<float> values;
  // 4 MB of zeros in 4 kB, while the array's header declares 8 bytes.
  const std::string bomb = support::npy_of("<f4", "(2,)", std::string(4'000'000, '\0'));
  const std::string small = bomb.substr(0, bomb.size() - 4'000'000 + 8);
  REQUIRE(read(small, deflate_of(bomb, 9), values).find("size: more than the declared ") !=
          std::string::npos);
  REQUIRE(read(bomb, deflate_of(bomb, 9), values).find("3999992 bytes follow the array") !=
          std::string::npos);
  const std::string packed = deflate_of(small, 9);
  for (std::size_t at = 0; at < packed.size(); ++at) {
    for (const int flip : {1, 16, 128, 255}) {
      std::string bytes = packed;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      const std::string message = read(small, bytes, values);
      CAPTURE(at, flip, message);
      REQUIRE((message == "was read" || message.starts_with("a.npz[x]: ")));
      if (message == "was read") REQUIRE(values == std::vector<float>{0, 0});
    }
  }
}
