// SPDX-License-Identifier: MIT
#include <diffseg/io/safetensors.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::attempt([&] {
    const diffseg::SafetensorsFile file(fuzz::file_of(data, size, true));
    for (const std::string& name : file.names()) {
      fuzz::attempt([&] { fuzz::use(file.read(name)); });
    }
  });
  return 0;
}
