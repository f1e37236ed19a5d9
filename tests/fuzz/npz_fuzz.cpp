// SPDX-License-Identifier: MIT
#include <diffseg/io/npz.hpp>
#if DIFFSEG_WITH_ZLIB
#include <diffseg/io/npz_deflate.hpp>
#endif

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
#if DIFFSEG_WITH_ZLIB
  const diffseg::Inflate inflate = diffseg::inflate_zlib;
#else
  const diffseg::Inflate inflate = nullptr;
#endif
  fuzz::attempt([&] {
    const diffseg::NpzFile file(fuzz::file_of(data, size, true), inflate);
    for (const std::string& name : file.names()) {
      fuzz::attempt([&] { fuzz::use(file.read(name)); });
    }
  });
  return 0;
}
