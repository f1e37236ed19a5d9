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
  std::string header = "{";
  std::string payload;
  for (const auto& [name, array] : arrays) {
    const std::size_t begin = payload.size();
    payload += bytes_of(array);
    header += diffseg::detail::message(header.size() > 1 ? ",\"" : "\"", name,
                                       "\":{\"dtype\":\"F32\",\"shape\":[", array.shape[0], ',',
                                       array.shape[1], ',', array.shape[2], "],\"data_offsets\":[",
                                       begin, ',', payload.size(), "]}");
  }
  write(path, number_bytes(header.size() + 1, 8) + header + "}" + payload);
}

/// A zip archive of stored members.
void write_npz(const fs::path& path, const Arrays& arrays) {
  std::string members;
  std::string directory;
  for (const auto& [name, array] : arrays) {
    diffseg::write_npy<float>(path, array.shape, array.values);
    std::ifstream file(path, std::ios::binary);
    const std::string data{std::istreambuf_iterator<char>(file), {}};
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
  const std::string end = "PK\x05\x06" + number_bytes(0, 4) + number_bytes(arrays.size(), 2) +
                          number_bytes(arrays.size(), 2) + number_bytes(directory.size(), 4) +
                          number_bytes(members.size(), 4) + number_bytes(0, 2);
  write(path, members + directory + end);
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
  return 0;
}
