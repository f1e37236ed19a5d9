// SPDX-License-Identifier: MIT
// rewrite FROM TO: reads every array of every file in the folder FROM and writes it as .npy into
// the folder TO, as FILE.npy or FILE.ARRAY.npy. For comparisons with other programs.
#include <cstdio>
#include <diffseg/io/npy.hpp>
#include <diffseg/io/npz.hpp>
#if DIFFSEG_WITH_ZLIB
#include <diffseg/io/npz_deflate.hpp>
#endif
#include <diffseg/io/safetensors.hpp>

namespace {

namespace fs = std::filesystem;

void write(const diffseg::Tensor& tensor, const fs::path& path) {
  diffseg::detail::visit_number(tensor.type, [&](auto number) {
    using Number = std::conditional_t<std::is_same_v<decltype(number), Eigen::bfloat16>, float,
                                      decltype(number)>;
    const auto values = tensor.as<Number>();
    diffseg::write_npy<Number>(path, tensor.shape, values);
  });
}

template <class File>
void write_all(const File& file, const fs::path& path) {
  for (const std::string& name : file.names()) {
    write(file.read(name), path.string() + "." + name + ".npy");
  }
}

void rewrite(const fs::path& from, const fs::path& to) {
#if DIFFSEG_WITH_ZLIB
  const diffseg::Inflate inflate = diffseg::inflate_zlib;
#else
  const diffseg::Inflate inflate = nullptr;
#endif
  if (from.extension() == ".npy") write(diffseg::read_npy(from), to.string() + ".npy");
  if (from.extension() == ".npz") write_all(diffseg::NpzFile(from, inflate), to);
  if (from.extension() == ".safetensors") write_all(diffseg::SafetensorsFile(from), to);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  try {
    for (const auto& entry : fs::directory_iterator(arguments[1])) {
      rewrite(entry.path(), arguments[2] / entry.path().filename());
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
