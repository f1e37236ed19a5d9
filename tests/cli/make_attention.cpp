// SPDX-License-Identifier: MIT
// make_attention FOLDER: attention of a picture whose left is a cat and whose right is a helmet, in
// every format that the segment program reads.
#include <array>
#include <cmath>
#include <cstdint>
#include <diffseg/io/crc32.hpp>
#include <diffseg/io/npy.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace {

using diffseg::Index;
namespace fs = std::filesystem;

struct Array {
  std::vector<Index> shape;
  std::vector<float> values;
};

constexpr Index heads = 2;

bool left(Index token, Index side) {
  return token % side < side / 2;
}

/// `number(head, query, key)` for all heads, queries and keys.
template <class Number>
Array fill(Index queries, Index keys, const Number& number) {
  Array array{{heads, queries, keys}, {}};
  for (Index head = 0; head < heads; ++head) {
    for (Index query = 0; query < queries; ++query) {
      for (Index key = 0; key < keys; ++key)
        array.values.push_back(static_cast<float>(number(head, query, key)));
    }
  }
  return array;
}

/// Every query looks at its own half alone, nearly.
Array self_attention(Index side) {
  const double half = static_cast<double>(side * side) / 2;
  return fill(side * side, side * side, [&](Index, Index query, Index key) {
    return (left(query, side) == left(key, side) ? 0.99 : 0.01) / half;
  });
}

/// The tokens: a start mark, cat, hel, met, an end mark.
Array cross_attention(Index side) {
  return fill(side * side, 5, [&](Index, Index query, Index token) {
    if (token == 0 || token == 4) return 0.25;
    return (token == 1) == left(query, side) ? 0.3 : 0.1;
  });
}

/// Queries and keys alike: one-hot halves; scaled by ln 99, as self_attention.
Array halves(Index side) {
  return fill(side * side, 2, [&](Index, Index token, Index half) {
    return left(token, side) == (half == 0) ? 1 : 0;
  });
}

Array logarithms(Array array) {
  for (float& value : array.values) value = std::log(value);
  return array;
}

std::string number_bytes(std::uint64_t value, int count) {
  std::string text;
  for (int i = 0; i < count; ++i, value >>= 8) text.push_back(static_cast<char>(value & 255U));
  return text;
}

std::string bytes_of(const Array& array) {
  return {reinterpret_cast<const char*>(array.values.data()), array.values.size() * sizeof(float)};
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

using Arrays = std::map<std::string, Array>;

void write_safetensors(const fs::path& path, const Arrays& arrays) {
  std::string header = R"({"__metadata__": null)";
  std::string payload;
  for (const auto& [name, array] : arrays) {
    const std::size_t begin = payload.size();
    payload += bytes_of(array);
    header += diffseg::detail::message(",\"", name, "\":{\"dtype\":\"F32\",\"shape\":[",
                                       array.shape[0], ',', array.shape[1], ',', array.shape[2],
                                       "],\"data_offsets\":[", begin, ',', payload.size(), "]}");
  }
  write(path, number_bytes(header.size() + 1, 8) + header + "}" + payload);
}

/// The bytes of .npy files by their names within an archive.
using Members = std::map<std::string, std::string>;

/// As files of `scratch`, which is written over.
Members members_of(const Arrays& arrays, const fs::path& scratch) {
  Members members;
  for (const auto& [name, array] : arrays) {
    diffseg::write_npy<float>(scratch, array.shape, array.values);
    std::ifstream file(scratch, std::ios::binary);
    members[name] = std::string{std::istreambuf_iterator<char>(file), {}};
  }
  return members;
}

/// A zip archive of stored members.
void write_zip(const fs::path& path, const Members& all) {
  std::string members;
  std::string directory;
  for (const auto& [name, data] : all) {
    const std::string member = name + ".npy";
    const std::string common =
        number_bytes(20, 2) + number_bytes(0, 8) +
        number_bytes(diffseg::detail::crc32(std::as_bytes(std::span(data))), 4) +
        number_bytes(data.size(), 4) + number_bytes(data.size(), 4) +
        number_bytes(member.size(), 2) + number_bytes(0, 2);
    directory += "PK\x01\x02" + number_bytes(20, 2) + common + number_bytes(0, 10) +
                 number_bytes(members.size(), 4) + member;
    members += "PK\x03\x04" + common + member + data;
  }
  const std::string end = "PK\x05\x06" + number_bytes(0, 4) + number_bytes(all.size(), 2) +
                          number_bytes(all.size(), 2) + number_bytes(directory.size(), 4) +
                          number_bytes(members.size(), 4) + number_bytes(0, 2);
  write(path, members + directory + end);
}

void write_npz(const fs::path& path, const Arrays& arrays) {
  write_zip(path, members_of(arrays, path));
}

/// The array of all tokens, of which `skipped` come in front and take half of each row and look
/// everywhere, and as many behind; `pair` axes are tokens: the last two, or the middle one.
Array with_others(const Array& image, Index skipped, bool keys) {
  const Index cells = image.shape[1];
  const Index tokens = cells + 2 * skipped;
  const auto is_cell = [&](Index token) { return token >= skipped && token < skipped + cells; };
  const Index width = keys ? tokens : image.shape[2];
  return fill(tokens, width, [&](Index head, Index query, Index key) -> double {
    if (!is_cell(query))
      return keys ? 1.0 / static_cast<double>(tokens) : static_cast<double>(query % 3) - 1;
    const Index column = keys ? key - skipped : key;
    if (keys && !is_cell(key)) return 0.25 / static_cast<double>(skipped);
    const Index at = (head * cells + query - skipped) * image.shape[2] + column;
    return (keys ? 0.5 : 1.0) * image.values[static_cast<std::size_t>(at)];
  });
}

/// Tokens that are no cells, a batch of one, a mean over heads, and arrays that are no attention.
void write_tokens(const fs::path& folder) {
  fs::create_directories(folder);
  const auto save = [&](const char* name, const Array& array) {
    diffseg::write_npy<float>(folder / name, array.shape, array.values);
  };
  const Array self = self_attention(8);
  save("others.npy", with_others(self, 2, true));
  Array first = with_others(self, 1, true);  // without the token behind
  Array class_token{{heads, 65, 65}, {}};
  for (Index row = 0; row < heads * 66; ++row) {
    const auto begin = first.values.begin() + row * 66;
    if (row % 66 != 65) class_token.values.insert(class_token.values.end(), begin, begin + 65);
  }
  save("class.npy", class_token);
  write_npz(folder / "raw.npz", {{"scores", logarithms(with_others(self, 2, true))},
                                 {"q", with_others(halves(8), 2, false)},
                                 {"k", with_others(halves(8), 2, false)}});
  Array shaped = self;
  shaped.shape = {1, heads, 64, 64};
  save("batch.npy", shaped);
  Array words = cross_attention(8);
  words.shape = {1, heads, 64, 5};
  write_npz(folder / "batch.npz", {{"self", shaped}, {"cross", words}});
  save("mean.npy", {{64, 64}, {self.values.begin(), self.values.begin() + 64 * 64}});
  Array noise{{1, 4, 16, 16}, std::vector<float>(1024)};
  for (std::size_t i = 0; i < noise.values.size(); ++i)
    noise.values[i] = static_cast<float>(i % 7) - 3;
  Members extra = members_of({{"a_self", self},
                              {"latents", noise},
                              {"prompt", {{1, 77, 2}, std::vector<float>(154, 1)}},
                              {"timestep", {{}, {300}}}},
                             folder / "extra.npz");
  extra["words"] = std::string("\x93NUMPY\x01\0", 8) + number_bytes(54, 2) +
                   "{'descr': '<U1', 'fortran_order': False, 'shape': ()}\n" +
                   std::string("a\0\0\0", 4);
  write_zip(folder / "extra.npz", extra);
  extra.erase("a_self");
  write_zip(folder / "no_attention.npz", extra);
}

void write_bad(const fs::path& folder) {
  fs::create_directories(folder);
  const auto save = [&](const char* name, const Array& array) {
    diffseg::write_npy<float>(folder / name, array.shape, array.values);
  };
  Array array = self_attention(4);
  array.shape = {2, 256};
  save("flat.npy", array);
  array.shape = {2, 16, 16};
  array.values[300] = std::nanf("");
  save("nan.npy", array);
  save("row.npy", {{1, 12, 12}, std::vector<float>(144, 1.0F / 12)});
  save("cross.npy", cross_attention(4));
  write(folder / "cut.npz", "PK\x03\x04");
  write(folder / "text.npy", "not an array");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const fs::path folder = argv[1];
  const Arrays arrays{{"self_8", self_attention(8)},
                      {"self_4", self_attention(4)},
                      {"cross_8", cross_attention(8)},
                      {"cross_4", cross_attention(4)}};
  fs::create_directories(folder / "npy");
  for (const auto& [name, array] : arrays)
    diffseg::write_npy<float>(folder / "npy" / (name + ".npy"), array.shape, array.values);
  write_npz(folder / "all.npz", arrays);
  write_safetensors(folder / "all.safetensors", arrays);
  write_npz(folder / "raw.npz", {{"scores_8", logarithms(self_attention(8))},
                                 {"q_8", halves(8)},
                                 {"k_8", halves(8)},
                                 {"k_4", halves(4)}});
  write_bad(folder / "bad");
  write_tokens(folder / "tokens");
  return 0;
}
