// SPDX-License-Identifier: MIT
// Photos of any format, small ones: what the decoders' libraries make of large ones is their own.
#include "photo_io.hpp"

#include "fuzz.hpp"
#include "memory.hpp"

namespace {

/// As the file says; the decoders' libraries take their time for what is large.
bool is_large(std::span<const unsigned char> bytes) {
  return cli::photo_memory(bytes) > 4e6;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr diffseg::Index most = 2000;  // larger ones are scaled
  if (is_large({data, size})) return 0;
  fuzz::attempt([&] {
    const cli::Photo photo = cli::load_photo({data, size}, "photo", most);
    const auto& image = photo.image;
    fuzz::require_true(image.channels == 1 || image.channels == 3);
    fuzz::require_true(image.size.cells() >= 1 && image.size.height <= photo.full.height &&
                       image.size.width <= photo.full.width);
    fuzz::require_true(image.values.size() ==
                       static_cast<std::size_t>(image.size.cells() * image.channels));
    for (const float value : image.values) fuzz::require_true(value >= 0 && value <= 1);
  });
  return 0;
}
