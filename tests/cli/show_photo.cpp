// SPDX-License-Identifier: MIT
// show_photo MOST FILE ...: FILE.shown is "HEIGHT WIDTH CHANNELS FULL_HEIGHT FULL_WIDTH\n" and
// bytes, or "refused: REASON\n".
#include <cmath>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>

#include "files.hpp"
#include "photo_io.hpp"

namespace {

void show(const std::string& file, diffseg::Index most) {
  std::ofstream out(file + ".shown", std::ios::binary);
  try {
    const cli::Photo photo = cli::load_photo(cli::read_file(file), "photo", most);
    const auto& image = photo.image;
    out << image.size.height << ' ' << image.size.width << ' ' << image.channels << ' '
        << photo.full.height << ' ' << photo.full.width << '\n';
    for (const float value : image.values) out.put(static_cast<char>(std::lround(255 * value)));
  } catch (const std::exception& error) {
    out << "refused: " << error.what() << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 2; i < argc; ++i) show(argv[i], std::atoll(argv[1]));
  return argc < 3 ? 2 : 0;
}
