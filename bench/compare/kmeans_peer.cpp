// SPDX-License-Identifier: MIT
// Our side of compare_kmeans.py. Arrays come and go as .npy files:
//   kmeans_peer case FOLDER ROWS CENTRES   maps and proposals of a golden case; prints the grid
//   kmeans_peer photo IMAGE ROWS CENTRES   the same of a photo [height, width, 3], 8 bits
//   kmeans_peer serve ROWS CENTRES LABELS  reads the grid, then for each line "lloyd",
//                                          "projected", "minibatch" or "pca" runs it, writes the
//                                          labels, and prints milliseconds and what it reached
#include <chrono>
#include <diffseg/diffseg.hpp>
#include <diffseg/io/npy.hpp>
#include <diffseg/merge/refine_projected.hpp>
#include <exception>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "../../tests/support/golden.hpp"

namespace {

using namespace diffseg;
using namespace diffseg::detail;

void write(const std::string& path, const Matrix<float>& matrix) {
  write_npy<float>(path, {matrix.rows(), matrix.cols()},
                   {matrix.data(), static_cast<std::size_t>(matrix.size())});
}

void write(const Proposals<float>& proposals, const std::string& rows, const std::string& centres) {
  write(rows, proposals.maps.rows());
  write(centres, proposals.rows);
  const GridSize grid = proposals.maps.grid();
  std::cout << grid.height << ' ' << grid.width << std::endl;
}

Matrix<float> read(const std::string& path) {
  const auto file = read_npy(path);
  const auto values = file.as<float>();
  return Eigen::Map<const Matrix<float>>(values.data(), file.shape.at(0), file.shape.at(1));
}

void prepare_case(const std::string& folder, const std::string& rows, const std::string& centres) {
  const auto test = golden::load(folder);
  const auto maps = Aggregate{.weights = test.weights}(golden::layers<float>(test));
  const auto proposals =
      Merge{.thresholds = test.thresholds}(Compare{.anchors = {test.points, test.points},
                                                   .placement = Compare::Placement::published,
                                                   .ceiling = test.thresholds[0]}(maps));
  write(proposals, rows, centres);
}

void prepare_photo(const std::string& path, const std::string& rows, const std::string& centres) {
  const auto file = read_npy(path);
  Image<float> photo{{file.shape.at(0), file.shape.at(1)}, 3, file.as<float>()};
  for (float& value : photo.values) value /= 255;
  const auto maps = Aggregate{}(Affinity{}(photo));
  const GridSize anchors{std::min<Index>(16, maps.grid().height),
                         std::min<Index>(16, maps.grid().width)};
  const auto proposals = Merge{{1.3, 1.3, 1.3}}(Compare{.anchors = anchors, .ceiling = 1.3}(maps));
  write(proposals, rows, centres);
}

/// Runs one command; prints "MILLISECONDS FIGURE": the inertia, or the explained variance ratio.
void answer(const std::string& command, const Proposals<float>& proposals,
            const std::string& labels_path) {
  const auto begin = std::chrono::steady_clock::now();
  const auto milliseconds = [&] {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
        .count();
  };
  if (command == "pca") {
    const auto pca = fit_pca(proposals.maps.rows(), {.components = 32});
    std::cout << milliseconds() << ' ' << pca.explained_variance_ratio.sum() << std::endl;
    return;
  }
  KMeansResult<float> result;
  double time = 0;
  if (command == "lloyd") {
    result = lloyd_kmeans(proposals.maps.rows(), proposals.rows);
    time = milliseconds();
  } else {
    // All that RefineProjected does, the means of the maps included.
    using Mode = RefineProjected::Mode;
    const RefineProjected refine{.mode = command == "minibatch" ? Mode::minibatch : Mode::passes};
    const auto refined = refine(proposals);
    time = milliseconds();
    result = refine.cluster(proposals);
  }
  write_npy<std::int32_t>(labels_path, {static_cast<Index>(result.labels.size())}, result.labels);
  std::cout << time << ' ' << result.inertia << std::endl;
}

void serve(const std::string& rows, const std::string& centres, const std::string& labels) {
  Proposals<float> proposals;
  GridSize grid;
  std::cin >> grid.height >> grid.width >> std::ws;
  proposals.maps = Maps<float>(grid, read(rows));
  proposals.rows = read(centres);
  proposals.anchors.resize(static_cast<std::size_t>(proposals.rows.rows()));
  for (std::string command; std::getline(std::cin, command);) answer(command, proposals, labels);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() != 4) {
    std::cerr << "usage: kmeans_peer case|photo|serve INPUT ROWS|CENTRES OUTPUT, see the source\n";
    return 2;
  }
  const auto& [mode, input] = std::pair(arguments[0], arguments[1]);
  if (mode == "case") prepare_case(input, arguments[2], arguments[3]);
  if (mode == "photo") prepare_photo(input, arguments[2], arguments[3]);
  if (mode == "serve") serve(input, arguments[2], arguments[3]);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "kmeans_peer: " << error.what() << '\n';
  return 1;
}
