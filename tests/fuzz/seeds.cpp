// SPDX-License-Identifier: MIT
// fuzz_seeds FORMAT FOLDER: small right files for a fuzzer to start from.
#include "support/file_bytes.hpp"

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

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const std::string format = arguments[1];
  const auto files = format == "npy"   ? npy_files()
                     : format == "npz" ? npz_files()
                                       : safetensors_files();
  for (std::size_t i = 0; i < files.size(); ++i) {
    support::write_text(std::filesystem::path(arguments[2]) / ("seed_" + std::to_string(i)),
                        files[i]);
  }
  return 0;
}
