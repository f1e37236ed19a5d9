// SPDX-License-Identifier: MIT
#include <diffseg/io/npz.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"

namespace {

using diffseg::Index;
using diffseg::Inflated;
using diffseg::NpzFile;
using support::number;
using support::patched;
using support::Zip;
using support::ZipEntry;

diffseg::FileBytes archive_of(const std::string& text) {
  return {"a.npz", std::as_bytes(std::span(text)), nullptr};
}

const std::string& array() {
  static const std::string bytes =
      support::npy_of("<f4", "(2,)", std::string("\0\0\x80\x3f\0\0\0\xc0", 8));
  return bytes;
}

/// An Inflate for streams of one stored block.
Inflated inflate_stored(std::span<const std::byte> from, std::span<std::byte> to) {
  if (from.size() < 5 || from[0] != std::byte{1}) return {};
  const std::size_t length = diffseg::detail::little_endian<std::uint16_t>(from, 1);
  const std::size_t held = std::min(length, from.size() - 5);
  std::memcpy(to.data(), from.data() + 5, std::min(held, to.size()));
  if (held > to.size()) return {to.size() + 1, false};
  return {held, length + 5 == from.size()};
}

ZipEntry deflated(const std::string& bytes) {
  return {"x.npy", bytes, 8, support::stored_block(bytes)};
}

/// What reading the member x of an archive says.
std::string npz_message(const std::string& bytes, const diffseg::Inflate& inflate = nullptr) {
  return support::message_of([&] { return NpzFile(archive_of(bytes), inflate).read("x"); });
}

/// The archive as zip64: all that may be large is in the larger fields alone.
std::string zip64_of(const std::string& name, const std::string& bytes) {
  const std::string extra = number(1, 2) + number(24, 2) + number(bytes.size(), 8) +
                            number(bytes.size(), 8) + number(0, 8);
  const Zip zip =
      support::zip_of({{name, bytes, 0, "", number(7, 2) + number(1, 2) + "!" + extra}});
  std::string text = patched(zip.bytes, zip.central[0] + 20, std::string(8, '\xff'));
  text = patched(text, zip.central[0] + 42, std::string(4, '\xff'));
  const std::size_t length = zip.end - zip.central[0];
  const std::string record = "PK\6\6" + number(44, 8) + number(45, 2) + number(45, 2) +
                             number(0, 8) + number(1, 8) + number(1, 8) + number(length, 8) +
                             number(zip.central[0], 8);
  const std::string locator = "PK\6\7" + number(0, 4) + number(zip.end, 8) + number(1, 4);
  const std::string closing = "PK\5\6" + number(0, 4) + std::string(12, '\xff') + number(0, 2);
  return text.substr(0, zip.end) + record + locator + closing;
}

}  // namespace

TEST_CASE("npz: stored arrays are read by name", "[unit][npz]") {
  const Zip zip = support::zip_of({{"x.npy", array()},
                                   {"notes.txt", "no array"},
                                   {"deep/y.npy", support::npy_of("|u1", "(1, 2)", "\1\2")},
                                   {"none.npy", support::npy_of("<f8", "(0, 3)", "")}});
  const NpzFile file(archive_of(zip.bytes));
  REQUIRE(file.names() == std::vector<std::string>{"x", "deep/y", "none"});
  REQUIRE(file.contains("deep/y"));
  REQUIRE_FALSE(file.contains("notes.txt"));
  REQUIRE(file.read("x").as<float>() == std::vector<float>{1, -2});
  REQUIRE(file.read("x").name == "a.npz[x]");
  REQUIRE(file.read("deep/y").as<int>() == std::vector<int>{1, 2});
  REQUIRE(file.read("none").shape == std::vector<Index>{0, 3});
  REQUIRE(NpzFile(archive_of(support::zip_of({}).bytes)).names().empty());
}

TEST_CASE("npz: zip64 archives and comments are read", "[unit][npz]") {
  const std::string large = zip64_of("x.npy", array());
  REQUIRE(NpzFile(archive_of(large)).read("x").as<float>() == std::vector<float>{1, -2});
  const Zip zip = support::zip_of({{"x.npy", array()}});
  const std::string comment = "PK\5\6 is how an end begins " + std::string(30, 'c');
  const std::string bytes = patched(zip.bytes, zip.end + 20, number(comment.size(), 2)) + comment;
  REQUIRE(NpzFile(archive_of(bytes)).read("x").as<float>() == std::vector<float>{1, -2});
}

TEST_CASE("npz: arrays are shared with the mapped archive wherever they begin", "[unit][npz]") {
  const support::Folder folder;
  const auto path = folder.path / "a.npz";
  const std::vector<float> expected{1, -2};
  for (std::size_t shift = 0; shift < 4; ++shift) {
    const std::string name = "x" + std::string(shift, '_');
    support::write_text(path, support::zip_of({{name + ".npy", array()}}).bytes);
    const diffseg::Tensor tensor = NpzFile(path).read(name);
    std::filesystem::remove(path);
    REQUIRE(tensor.as<float>() == expected);
    const auto offset = reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % 4096;
    REQUIRE(offset == 30 + name.size() + 4 + array().size() - 8);
  }
}

TEST_CASE("npz: deflated arrays go through the given inflate", "[unit][npz]") {
  const Zip zip = support::zip_of({deflated(array())});
  const NpzFile file(archive_of(zip.bytes), inflate_stored);
  const auto tensor = file.read("x");
  REQUIRE(tensor.as<float>() == std::vector<float>{1, -2});
  // Larger than what is looked at before the sizes are believed.
  const std::string wide = support::npy_of("|u1", "(65000,)", std::string(65000, '\7'));
  const Zip large = support::zip_of({deflated(wide)});
  REQUIRE(NpzFile(archive_of(large.bytes), inflate_stored).read("x").as<int>() ==
          std::vector<int>(65000, 7));
}

TEST_CASE("npz: every malformed archive gets a message of its own", "[unit][npz]") {
  const Zip zip = support::zip_of({{"x.npy", array()}});
  const std::string& good = zip.bytes;
  const std::size_t entry = zip.central[0];
  const std::size_t end = zip.end;
  const std::string full(4, '\xff');
  const auto local = [&](std::size_t at, const std::string& patch) {
    return patched(good, at, patch);
  };
  const auto central = [&](std::size_t at, const std::string& patch) {
    return patched(good, entry + at, patch);
  };
  const auto closing = [&](std::size_t at, const std::string& patch) {
    return patched(good, end + at, patch);
  };
  const auto member = [](const std::string& bytes) {
    return support::zip_of({{"x.npy", bytes}}).bytes;
  };
  const auto extra = [](const std::string& field) {
    const Zip large = support::zip_of({{"x.npy", array(), 0, "", field}});
    return patched(large.bytes, large.central[0] + 20, std::string(8, '\xff'));
  };
  const std::string large = zip64_of("x.npy", array());
  const std::size_t record = large.size() - 22 - 20 - 56;
  const auto zip64 = [&](std::size_t at, const std::string& patch) {
    return patched(large, record + at, patch);
  };
  const auto both = [&](std::size_t at, const std::string& patch) {
    return patched(local(4 + at, patch), entry + 6 + at, patch);
  };
  const Zip inner = support::zip_of({{"y.npy", array()}});
  const Zip nested =
      support::zip_of({{"x.npy", inner.bytes.substr(0, inner.central[0])}, {"y.npy", array()}});
  const std::string overlap = patched(nested.bytes, nested.central[1] + 42, number(35, 4));
  const std::string object = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }";
  const std::string huge = std::string("\x93NUMPY\2\0", 8) + "\xff\xff\xff\x7f" + full;
  const std::pair<std::string, const char*> cases[] = {
      {"", "file: is empty"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "git lfs pull"},
      {array(), "magic: is a single array (.npy); read it with read_npy"},
      {"\x89PNG\r\n\x1a\n and more", "magic: is not a .npz file"},
      {"PK\3\4", "directory: is missing"},
      {good.substr(0, good.size() - 1), "directory: is missing"},
      {good + "x", "directory: is missing"},
      {closing(0, "QK"), "directory: is missing"},
      {closing(4, number(1, 2)), "directory: is spread over several disks"},
      {closing(8, number(0, 2)), "directory: is spread over several disks"},
      {closing(8, number(2, 2) + number(2, 2)), "declares more members than it has room for"},
      {closing(8, number(0, 4)), "directory: is not as long as declared"},
      {closing(12, number(20, 4)), "declares more members than it has room for"},
      {closing(12, number(50, 4)), "directory: is cut off at byte "},
      {closing(12, number(52, 4)), "directory: lies outside of the archive"},
      {closing(16, number(good.size(), 4)), "directory: lies outside of the archive"},
      {closing(16, full), "directory: lies outside of the archive"},
      {closing(16, number(entry - 1, 4)), "directory: is damaged at byte "},
      {central(0, "QK"), "directory: is damaged at byte "},
      {central(28, number(65535, 2)), "directory: is cut off at byte "},
      {central(30, number(65535, 2)), "directory: is cut off at byte "},
      {central(32, number(1, 2)), "directory: is cut off at byte "},
      {central(42, number(1, 4)), "member 'x.npy' is not where it is said to be"},
      {central(42, full), "member 'x.npy' is not where it is said to be"},
      {local(2, "\5\6"), "member 'x.npy' is not where it is said to be"},
      {local(26, number(65535, 2)), "reaches beyond the archive's members"},
      {local(28, number(65535, 2)), "reaches beyond the archive's members"},
      {central(20, number(4000, 4) + number(4000, 4)), "'x.npy' of 4000 bytes reaches beyond"},
      {central(20, full + full), "'x.npy' of 4294967295 bytes reaches beyond"},
      {local(30, "y"), "member 'x.npy' is not what its own header says"},
      {local(8, number(8, 2)), "member 'x.npy' is not what its own header says"},
      {extra(number(1, 2) + number(8, 2) + number(8, 8)), "has a zip64 field that is cut off"},
      {extra(number(1, 2) + number(9, 2) + number(8, 8)), "has an extra field that is cut off"},
      {extra(number(1, 2) + number(16, 2) + number(8, 8) + std::string(8, '\xff')),
       "'x.npy' of 18446744073709551615 bytes reaches beyond"},
      {zip64(0, "QK"), "has no zip64 record where it is said to be"},
      {zip64(56 + 8, std::string(8, '\xff')), "has no zip64 record where it is said to be"},
      {zip64(16, number(1, 4)), "directory: is spread over several disks"},
      {zip64(24, number(1ULL << 40, 8)), "directory: is spread over several disks"},
      {zip64(24, number(1ULL << 40, 8) + number(1ULL << 40, 8)), "declares more members than"},
      {zip64(48, std::string(8, '\xff')), "directory: lies outside of the archive"},
      {zip64(40, std::string(8, '\xff')), "directory: lies outside of the archive"},
      {support::zip_of({{"x.npy", array()}, {"x.npy", array()}}).bytes, "'x' twice"},
      {overlap, "members 'x.npy' and 'y.npy' share bytes"},
      {both(2, number(1, 2)), "a.npz[x]: flags: is encrypted"},
      {both(4, number(12, 2)), "a.npz[x]: method: must be 0 (stored) or 8 (deflated), got 12"},
      {both(4, number(8, 2)), "a.npz[x]: method: is deflated, which needs zlib; give NpzFile"},
      {central(24, number(9, 4)), "a.npz[x]: size: a stored member declares 9 bytes and has "},
      {central(16, number(0, 4)), "a.npz[x]: checksum: does not fit the numbers"},
      {local(entry - 1, "\x41"), "a.npz[x]: checksum: does not fit the numbers"},
      {member(""), "a.npz[x]: file: is empty"},
      {member("version https://git-lfs.github.com/spec/v1\n"), "a.npz[x]: file: is a git-lfs"},
      {member("no array"), "a.npz[x]: magic: is not a .npy file"},
      {member(array().substr(0, 30)), "a.npz[x]: header: is cut off"},
      {member(array().substr(0, array().size() - 1)), "a.npz[x]: payload: is cut off, 7 of 8"},
      {member(support::npy_file(object, full)), "a.npz[x]: descr: Python objects are never"},
      {member(support::npy_of("<f4", "(4294967296, 4294967296)", full)), "a.npz[x]: shape: decl"},
      {member(huge), "a.npz[x]: header: declares 2147483647 bytes"},
      {support::zip_of({{"y.npy", array()}}).bytes, "member: there is no 'x' among 1 arrays"},
      {support::zip_of({{"x", array()}}).bytes, "member: there is no 'x' among 0 arrays"},
  };
  REQUIRE(npz_message(good) == "was read");
  REQUIRE(npz_message(large) == "was read");
  for (const auto& [bytes, expected] : cases) {
    const std::string message = npz_message(bytes);
    CAPTURE(expected, message);
    CHECK(message.starts_with("a.npz"));
    CHECK(message.find(expected) != std::string::npos);
    CHECK((message.find("; ") != std::string::npos));
  }
  REQUIRE(std::size(cases) >= 40);
}

TEST_CASE("npz: every malformed deflated member gets a message of its own", "[unit][npz]") {
  const auto packed = [](const std::string& bytes, const std::string& stream) {
    return support::zip_of({{"x.npy", bytes, 8, stream}});
  };
  const std::string stream = support::stored_block(array());
  const Zip good = packed(array(), stream);
  const auto sized = [&](std::uint64_t size) {
    return patched(good.bytes, good.central[0] + 24, number(size, 4));
  };
  const std::string forged = support::npy_of("<f4", "(100000,)", "");
  const std::pair<std::string, const char*> cases[] = {
      {sized(1'000'000), "size: declares 1000000 bytes, "},
      {sized(array().size() + 1), "payload: is damaged after "},
      {sized(array().size() - 1), "payload: is cut off, 7 of 8"},
      {packed(array(), patched(stream, 0, "\7")).bytes, "payload: is damaged after 0 of "},
      {packed(array(), stream.substr(0, stream.size() - 1)).bytes, "payload: is damaged after "},
      {packed(array(), stream + "x").bytes, "payload: is damaged after "},
      {packed(array(), support::stored_block(array() + "x")).bytes,
       "size: more than the declared "},
      {packed(array(), "").bytes, "payload: is damaged after 0 of "},
      {packed(forged, support::stored_block(forged)).bytes, "payload: is cut off, 0 of 400000"},
      {patched(good.bytes, good.central[0] + 16, number(0, 4)), "checksum: does not fit"},
      {patched(good.bytes, good.central[0] - 1, "\x41"), "checksum: does not fit"},
  };
  REQUIRE(npz_message(good.bytes, inflate_stored) == "was read");
  for (const auto& [bytes, expected] : cases) {
    const std::string message = npz_message(bytes, inflate_stored);
    CAPTURE(expected, message);
    CHECK(message.starts_with("a.npz[x]: "));
    CHECK(message.find(expected) != std::string::npos);
    CHECK((message.find("; ") != std::string::npos));
  }
}

TEST_CASE("npz: every cut of an archive is refused", "[unit][npz]") {
  for (const std::string& whole :
       {support::zip_of({{"x.npy", array()}}).bytes, zip64_of("x.npy", array())}) {
    REQUIRE(npz_message(whole) == "was read");
    for (std::size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(length);
      REQUIRE(npz_message(whole.substr(0, length)).starts_with("a.npz: "));
    }
  }
}

TEST_CASE("npz: any damaged byte is harmless and damaged numbers are noticed", "[law][npz]") {
  const Zip zip = support::zip_of({deflated(array())});
  const std::size_t numbers = zip.central[0] - 8;
  for (std::size_t at = 0; at < zip.bytes.size(); ++at) {
    for (const int flip : {1, 16, 128, 255}) {
      std::string bytes = zip.bytes;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      const std::string message = npz_message(bytes, inflate_stored);
      CAPTURE(at, flip, message);
      if (at >= numbers && at < zip.central[0]) {
        REQUIRE(message.find("checksum") != std::string::npos);
      }
      REQUIRE((message == "was read" || message.starts_with("a.npz")));
    }
  }
}
