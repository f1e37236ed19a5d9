// SPDX-License-Identifier: MIT
// fuzz_seeds NAME PACK FOLDER: small right files for a fuzzer to start from, and those in the pack.
#include "support/file_bytes.hpp"

#include "pack.hpp"

namespace {

using support::npy_of;

std::vector<std::string> npy_files() {
  const std::string zeros(32, '\0');
  return {npy_of("<f4", "(1, 2, 4)", zeros),       npy_of(">f8", "(2, 2)", zeros, "True"),
          npy_of("<f2", "(2, 2, 2, 2)", zeros),    npy_of("|u1", "(32,)", zeros, "True"),
          npy_of("<i8", "()", zeros.substr(0, 8)), npy_of("<f4", "(3, 0)", "")};
}

std::vector<std::string> npz_files() {
  std::vector<std::string> files;
  for (const std::string& array : npy_files()) {
    files.push_back(support::zip_of({{"a.npy", array}}).bytes);
    files.push_back(support::zip_of({{"a.npy", array, 8, support::stored_block(array)},
                                     {"b.npy", array},
                                     {"c.txt", "text"}})
                        .bytes);
  }
  return files;
}

std::vector<std::string> safetensors_files() {
  const std::string zeros(16, '\0');
  return {support::safetensors_of("{}", ""),
          support::safetensors_of(R"({"a":{"dtype":"F32","shape":[1,2,2],"data_offsets":[0,16]}})",
                                  zeros),
          support::safetensors_of(
              R"({"__metadata__":{"a":"b"},"x":{"dtype":"BF16","shape":[4],"data_offsets":[8,16]},)"
              R"("y":{"dtype":"F64","shape":[],"data_offsets":[0,8]}} )",
              zeros)};
}

/// Shapes with and without strides in the order that view_fuzz.cpp takes them; any bytes will do.
std::vector<std::string> other_files() {
  return {std::string(64, '\0'), std::string(64, '\1')};
}

std::vector<std::string> files_of(const std::string& name) {
  if (name == "npy") return npy_files();
  if (name == "npz") return npz_files();
  return name == "safetensors" ? safetensors_files() : other_files();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  auto files = files_of(arguments[1]);
  if (std::filesystem::exists(arguments[2])) {
    for (std::string& input : fuzz::read_inputs(arguments[2])) files.push_back(std::move(input));
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    support::write_text(std::filesystem::path(arguments[3]) / ("seed_" + std::to_string(i)),
                        files[i]);
  }
  return 0;
}
