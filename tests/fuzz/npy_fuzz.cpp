// SPDX-License-Identifier: MIT
#include <diffseg/io/npy.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const bool owned : {true, false}) {
    fuzz::attempt([&] { fuzz::use(diffseg::parse_npy(fuzz::file_of(data, size, owned))); });
  }
  return 0;
}
