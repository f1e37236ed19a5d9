// SPDX-License-Identifier: MIT
// Every file format of the package compiles, links and runs.
#include <cstdio>
#include <diffseg/io/npy.hpp>
#include <diffseg/io/npz.hpp>
#include <diffseg/io/npz_deflate.hpp>
#include <diffseg/io/safetensors.hpp>

int main() {
  const auto bytes = [](const std::string& text) { return std::as_bytes(std::span(text)); };
  const std::string archive = std::string("PK\5\6", 4) + std::string(18, '\0');
  const diffseg::NpzFile npz({"none.npz", bytes(archive), nullptr}, diffseg::inflate_zlib);
  const std::string tensors = std::string("\2\0\0\0\0\0\0\0{}", 10);
  const diffseg::SafetensorsFile file(diffseg::FileBytes{"none.safetensors", bytes(tensors), {}});
  const bool right = npz.names().empty() && file.names().empty();
  std::puts(right ? "two empty files" : "wrong files");
  return right ? 0 : 1;
}
