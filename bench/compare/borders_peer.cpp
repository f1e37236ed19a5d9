// SPDX-License-Identifier: MIT
// Our side of compare_borders.py. Arrays come and go as .npy files:
//   borders_peer labels PHOTO LABELS COUNT   segments a photo [height, width, 3], 8 bits, into at
//                                            most COUNT labels
//   borders_peer serve PHOTO LABELS FITTED   for each line "filter" (no small region goes) or "fit"
//                                            runs FitBorders, writes the labels, and prints
//                                            milliseconds and how many pixels changed
#include <chrono>
#include <diffseg/diffseg.hpp>
#include <diffseg/io/npy.hpp>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace diffseg;

Image<float> read_photo(const std::string& path) {
  const auto file = read_npy(path);
  Image<float> photo{{file.shape.at(0), file.shape.at(1)}, 3, file.as<float>()};
  for (float& value : photo.values) value /= 255;
  return photo;
}

void write(const std::string& path, const Labels& labels) {
  write_npy<std::int32_t>(path, {labels.size.height, labels.size.width}, labels.values);
}

void make_labels(const std::string& photo_path, const std::string& path, Index count) {
  const Image<float> photo = read_photo(photo_path);
  const auto maps = Aggregate{}(Affinity{}(photo));
  const GridSize anchors{maps.grid().height / 4, maps.grid().width / 4};
  const auto proposals =
      Refine{}(Merge{{1.0, 1.0, 1.0}}(Compare{.anchors = anchors, .ceiling = 1.0}(maps)));
  const Labels labels = Assign{.size = photo.size}(proposals);
  write(path, Tidy{.split = true, .max_labels = count}(labels));
}

void serve(const std::string& photo_path, const std::string& path, const std::string& fitted) {
  const Image<float> photo = read_photo(photo_path);
  const auto file = read_npy(path);
  Labels labels{photo.size, {}, {}};
  for (const float value : file.as<float>()) {
    labels.values.push_back(static_cast<std::int32_t>(value));
    if (labels.values.back() >= labels.count()) labels.proposals.resize(labels.values.back() + 1UL);
  }
  Labels out;
  Workspace workspace;
  for (std::string command; std::getline(std::cin, command);) {
    const FitBorders stage{.min_area = command == "fit" ? FitBorders{}.min_area : 0};
    const auto begin = std::chrono::steady_clock::now();
    stage(labels, photo, out, workspace);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    Index changed = 0;
    for (std::size_t i = 0; i < out.values.size(); ++i)
      changed += out.values[i] != labels.values[i];
    write(fitted, out);
    std::cout << time.count() << ' ' << changed << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() != 4) {
    std::cerr << "usage: borders_peer labels|serve PHOTO LABELS COUNT|FITTED, see the source\n";
    return 2;
  }
  if (arguments[0] == "labels") make_labels(arguments[1], arguments[2], std::stol(arguments[3]));
  if (arguments[0] == "serve") serve(arguments[1], arguments[2], arguments[3]);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "borders_peer: " << error.what() << '\n';
  return 1;
}
