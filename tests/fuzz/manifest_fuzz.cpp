// SPDX-License-Identifier: MIT
#include "manifest.hpp"

#include <algorithm>

#include "fuzz.hpp"

namespace {

bool is_weight(const cli::ManifestEntry& entry) {
  return !entry.weight || *entry.weight >= 0;
}

bool is_named(const cli::ManifestEntry& entry) {
  const bool pair = entry.kind == diffseg::LayerKind::queries_keys;
  const bool single = entry.file.extension() == ".npy";
  return pair ? !entry.array.empty() && !entry.key_array.empty() : single || !entry.array.empty();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::attempt([&] {
    const cli::Manifest manifest = cli::parse_manifest({data, size}, "folder/manifest.json");
    fuzz::require_true(!manifest.layers.empty());
    for (const auto* const entries : {&manifest.layers, &manifest.cross}) {
      fuzz::require_true(std::all_of(entries->begin(), entries->end(), is_weight));
      fuzz::require_true(std::all_of(entries->begin(), entries->end(), is_named));
      for (const cli::ManifestEntry& entry : *entries)
        fuzz::require_true(*entry.file.lexically_normal().begin() == "folder");
    }
  });
  return 0;
}
