// SPDX-License-Identifier: MIT
#include <diffseg/io/crc32.hpp>
#include <utility>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"
#include "support/random.hpp"

namespace {

using diffseg::detail::crc32;
using diffseg::detail::crc32_piece;
using diffseg::detail::join_crc32;
using diffseg::detail::polynomial_product;
using diffseg::detail::power_of_x;

/// One of the ways to a checksum, which may go on where another ended.
struct Way {
  const char* name;
  std::uint32_t (*of)(std::span<const std::byte> bytes, std::uint32_t before);
};

/// Those that this machine has.
std::vector<Way> ways() {
  std::vector<Way> result{{"tables", &diffseg::detail::crc32_by_tables}};
  if (diffseg::detail::can_fold_crc32())
    result.push_back({"folds", &diffseg::detail::crc32_by_folds});
  return result;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string random_bytes(support::Random& random, std::size_t count) {
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.integer(0, 255));
  return bytes;
}

std::size_t random_size(support::Random& random, std::size_t most) {
  return static_cast<std::size_t>(random.integer(0, static_cast<diffseg::Index>(most)));
}

}  // namespace

TEST_CASE("crc32: known checksums", "[unit][crc32]") {
  const std::pair<std::string, std::uint32_t> cases[] = {
      {"", 0},
      {std::string(1, '\0'), 0xd202ef8dU},
      {"\xff", 0xff000000U},
      {"a", 0xe8b7be43U},
      {"123456789", 0xcbf43926U},  // the check value that is published with the polynomial
      {std::string(32, '\0'), 0x190a55adU},
      {std::string(32, '\xff'), 0xff6cab0bU},
      {std::string(1000, 'x'), 0x3b41c9e6U},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text.size());
    CHECK(crc32(bytes_of(text)) == expected);
    for (const Way& way : ways()) {
      CAPTURE(way.name);
      CHECK(way.of(bytes_of(text), 0) == expected);
    }
  }
}

TEST_CASE("crc32: powers of x are where the polynomial puts them", "[unit][crc32]") {
  REQUIRE(power_of_x(0) == 0x80000000U);
  REQUIRE(power_of_x(1) == 0x40000000U);
  REQUIRE(power_of_x(31) == 1);
  REQUIRE(power_of_x(32) == 0xedb88320U);
  REQUIRE(power_of_x(33) == 0x76dc4190U);
  REQUIRE(polynomial_product(power_of_x(20), power_of_x(13)) == power_of_x(33));
  REQUIRE(power_of_x(0xffffffffU) == power_of_x(0));  // the polynomial is primitive
}

TEST_CASE("crc32: every way equals the bitwise one for any length and start", "[law][crc32]") {
  support::Random random(5);
  INFO(random.note());
  const std::string bytes = random_bytes(random, 6000);
  for (int round = 0; round < 300; ++round) {
    const std::size_t length =
        round < 150 ? static_cast<std::size_t>(2 * round) : random_size(random, 5000);
    const std::size_t start = random_size(random, 900);
    const std::string text = bytes.substr(start, length);
    const std::uint32_t expected = support::plain_crc32(text);
    const auto part = bytes_of(bytes).subspan(start, length);
    CAPTURE(length, start);
    REQUIRE(crc32(part) == expected);
    for (const Way& way : ways()) {
      CAPTURE(way.name);
      REQUIRE(way.of(part, 0) == expected);
      const std::size_t cut = random_size(random, length);
      REQUIRE(way.of(part.subspan(cut), way.of(part.first(cut), 0)) == expected);
    }
  }
}

TEST_CASE("crc32: bytes cut anywhere and joined are the whole", "[law][crc32]") {
  support::Random random(6);
  INFO(random.note());
  const std::string text = random_bytes(random, 5000);
  const auto bytes = bytes_of(text);
  const std::uint32_t whole = support::plain_crc32(text);
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, text.size()}) {
    REQUIRE(join_crc32(crc32(bytes.first(cut)), crc32(bytes.subspan(cut)), text.size() - cut) ==
            whole);
  }
  for (int round = 0; round < 200; ++round) {
    const std::size_t one = random_size(random, text.size());
    const std::size_t two = one + random_size(random, text.size() - one);
    CAPTURE(one, two);
    const std::uint32_t front =
        join_crc32(crc32(bytes.first(one)), crc32(bytes.subspan(one, two - one)), two - one);
    REQUIRE(join_crc32(front, crc32(bytes.subspan(two)), text.size() - two) == whole);
  }
  // x^(2^32 - 1) is 1, so 8 GiB behind are as good as two bytes.
  const std::uint32_t two_bytes = join_crc32(0x12345678U, 0, 2);
  REQUIRE(two_bytes != 0x12345678U);
  REQUIRE(join_crc32(0x12345678U, 0, std::uint64_t{1} << 33) == two_bytes);
}

TEST_CASE("crc32: any number of threads gives the same as the bitwise one", "[law][crc32]") {
  support::Random random(7);
  INFO(random.note());
  const std::string text = random_bytes(random, 9'000'001);
  const auto all = bytes_of(text);
  const std::uint32_t expected = support::plain_crc32(text);
  for (const int threads : {1, 2, 3, 4, 8}) {
    const diffseg::ThreadLimit limit(threads);
    CAPTURE(threads);
    REQUIRE(crc32(all) == expected);
    for (const std::size_t size : {crc32_piece - 1, crc32_piece, crc32_piece + 1, 2 * crc32_piece,
                                   2 * crc32_piece + 1, 4 * crc32_piece - 1}) {
      const auto part = all.subspan(static_cast<std::size_t>(threads), size);
      CAPTURE(size);
      for (const Way& way : ways()) REQUIRE(crc32(part) == way.of(part, 0));
    }
  }
}
