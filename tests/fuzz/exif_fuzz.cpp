// SPDX-License-Identifier: MIT
// What tells which way up a photo is, and what kind of file it is.
#include "exif.hpp"

#include "fuzz.hpp"
#include "picture_format.hpp"

namespace {

void check(const std::optional<int>& orientation) {
  fuzz::require_true(!orientation || (*orientation >= 1 && *orientation <= 8));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const unsigned char> bytes(data, size);
  check(cli::exif_orientation(bytes));
  const auto profile = cli::raw_profile({reinterpret_cast<const char*>(data), size});
  fuzz::require_true(profile.size() <= size / 2);
  if (!profile.empty()) check(cli::exif_orientation(profile));
  static_cast<void>(cli::picture_format(bytes));
  return 0;
}
