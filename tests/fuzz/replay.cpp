// SPDX-License-Identifier: MIT
// A fuzzer without its loop: replay_NAME PACK FOLDER ... runs what it found worth keeping, once.
#include <cstdint>
#include <iostream>

#include "pack.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** arguments) {
  std::size_t runs = 0;
  for (int i = 1; i < count; ++i) {
    for (const std::string& input : fuzz::read_inputs(arguments[i])) {
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
      ++runs;
    }
  }
  std::cout << runs << " inputs\n";
  return runs > 0 ? 0 : 1;
}
