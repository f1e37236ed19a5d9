// SPDX-License-Identifier: MIT
// Our side of compare_pipeline.py. Attention comes and goes as .npy files, layer_0.npy and so on:
//   pipeline_peer coffee f32|f16 FOLDER              the golden case at the shapes of SD 1.5
//   pipeline_peer photo IMAGE MODEL f32|f16 FOLDER   attention of a photo [height, width, 3], 8
//   bits
//                                                    at the shapes of MODEL; prints the exponent
//   pipeline_peer serve FOLDER ANCHORS FLOOR THRESHOLDS...
//                                                    reads the layers, then answers lines
// A line is "COMMAND THREADS"; the answer is "MILLISECONDS FIGURE". The commands are those of
// Server.
#include <exception>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <diffseg/attention/models.hpp>

#include "../support/baselines.hpp"
#include "../support/clock.hpp"
#include "../support/heads.hpp"

namespace {

using namespace diffseg;
using namespace diffseg::detail;

std::filesystem::path layer_file(const std::filesystem::path& folder, std::size_t index) {
  return folder / ("layer_" + std::to_string(index) + ".npy");
}

template <class Element>
void write(const Layers& layers, const std::filesystem::path& folder) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const Index count = layer.heads * layer.queries.cells() * layer.keys.cells();
    write_npy<Element>(layer_file(folder, i),
                       {layer.heads, layer.queries.cells(), layer.keys.cells()},
                       {static_cast<const Element*>(layer.data), static_cast<std::size_t>(count)});
  }
}

/// The layers of a folder in memory of this process, as a model would have left them there.
Layers read(const std::filesystem::path& folder) {
  Layers layers;
  for (std::size_t i = 0; std::filesystem::exists(layer_file(folder, i)); ++i) {
    const Tensor file = read_npy(layer_file(folder, i));
    const auto side = static_cast<Index>(std::lround(std::sqrt(file.shape.at(1))));
    layers.push_back(file.type == NumberType::f16
                         ? Layer::owning(file.as<Eigen::half>(), file.shape.at(0), {side, side})
                         : Layer::owning(file.as<float>(), file.shape.at(0), {side, side}));
  }
  return layers;
}

/// The grids and heads of a model, one layer a grid: one of models.hpp, "grid128" or "smoke".
std::vector<AttentionShape> shapes(const std::string& model) {
  if (model == "grid128") return {{{128, 128}, 1}};
  if (model == "smoke") return {{{16, 16}, 3}, {{8, 8}, 2}};
  return model_shapes(model).layers;
}

/// The square in the middle of a photo.
Image<float> middle(const Tensor& file) {
  const GridSize size{file.shape.at(0), file.shape.at(1)};
  const Index side = std::min(size.height, size.width);
  const auto values = file.as<float>();
  Image<float> photo{{side, side}, 3, {}};
  for (Index y = (size.height - side) / 2; y < (size.height - side) / 2 + side; ++y) {
    for (Index i = 0; i < 3 * side; ++i) {
      const Index from = (y * size.width + (size.width - side) / 2) * 3 + i;
      photo.values.push_back(values[static_cast<std::size_t>(from)] / 255);
    }
  }
  return photo;
}

template <class Element>
void make_photo(const std::string& image, const std::string& model, const std::string& folder) {
  const auto photo =
      model == "smoke" ? bench::synthetic_photo({128, 128}) : middle(read_npy(image));
  const double exponent = bench::find_exponent(photo, shapes(model));
  write<Element>(bench::photo_heads<Element>(photo, shapes(model), exponent), folder);
  std::cout << exponent << std::endl;
}

/// Answers one command after the other about one stack of layers.
class Server {
 public:
  Server(const std::string& folder, SegmentOptions options)
      : layers_(read(folder)), options_(std::move(options)) {
    options_.compare.ceiling = options_.merge.thresholds.front();
    segment(layers_, options_, kept_);
    const auto& maps = kept_.maps.rows();
    left_ = maps.topRows(std::min<Index>(256, maps.rows()));
    right_ = maps.topRows(std::min<Index>(4096, maps.rows()));
  }

  /// Runs `command` with at most `threads` threads; "MILLISECONDS FIGURE".
  std::string answer(const std::string& command, int threads) {
    const ThreadLimit limit(threads);
    Eigen::setNbThreads(threads);
    double figure = 0;
    const double milliseconds = bench::milliseconds([&] { figure = run(command); });
    return message(milliseconds, ' ', figure);
  }

  /// Writes the labels as indices of proposals, [height, width].
  void write_labels(const std::string& file) const {
    std::vector<std::int32_t> values = kept_.labels.values;
    for (auto& value : values) value = kept_.labels.proposals[static_cast<std::size_t>(value)];
    const GridSize size = kept_.labels.size;
    write_npy<std::int32_t>(file, {size.height, size.width}, values);
  }

  /// Merges until `count` proposals are left, or about as many, and writes them, [K x T];
  /// "assign" takes these from then on.
  void write_proposals(const std::string& file, Index count) {
    double low = 0.01;
    double high = 2;
    for (int step = 0; step < 20 && kept_.proposals.rows.rows() != count; ++step) {
      Merge merge = options_.merge;
      const double middle = (low + high) / 2;
      for (std::size_t i = 1; i < merge.thresholds.size(); ++i) merge.thresholds[i] = middle;
      merge(kept_.similarities, kept_.proposals);
      (kept_.proposals.rows.rows() > count ? low : high) = middle;
    }
    const auto& rows = kept_.proposals.rows;
    write_npy<float>(file, {rows.rows(), rows.cols()},
                     {rows.data(), static_cast<std::size_t>(rows.size())});
    options_.assign(kept_.proposals, kept_.labels);
  }

 private:
  /// The stages one by one work on what the stage before them left, as in segment().
  double run(const std::string& command) {
    if (command == "segment") {
      return static_cast<double>(segment(layers_, options_).count());
    }
    if (command == "segment_again") {
      segment(layers_, options_, kept_);
      return static_cast<double>(kept_.labels.count());
    }
    if (command == "Aggregate") {
      kept_.similarities.maps = kept_.proposals.maps = {};
      options_.aggregate(layers_, kept_.maps);
      return static_cast<double>(kept_.maps.tokens());
    }
    if (command == "Compare") {
      options_.compare(kept_.maps, kept_.similarities);
      return static_cast<double>(kept_.similarities.evaluated);
    }
    if (command == "Merge") {
      options_.merge(kept_.similarities, kept_.proposals);
      return static_cast<double>(kept_.proposals.rows.rows());
    }
    if (command == "Assign") {
      options_.assign(kept_.proposals, kept_.labels);
      return static_cast<double>(kept_.labels.count());
    }
    return floor(command);
  }

  /// What no program can do without.
  double floor(const std::string& command) {
    const auto& found = kept_.similarities;
    if (command == "matched") return static_cast<double>(found.divergences.nonZeros());
    if (command == "evaluated") return static_cast<double>(found.evaluated);
    if (command == "read") return static_cast<double>(bench::read_all(layers_));
    if (command == "product") {
      product_.noalias() = left_ * right_.transpose();
      return static_cast<double>(left_.size()) * static_cast<double>(right_.rows());
    }
    require(false, "serve: unknown command ", command);
    return 0;
  }

  Layers layers_;
  SegmentOptions options_;
  Segmentation<float> kept_;
  Matrix<float> left_, right_, product_;  // a product of the shape of the comparison's
};

void serve(const std::vector<std::string>& arguments) {
  SegmentOptions options;
  const Index anchors = std::stol(arguments.at(1));
  options.compare.anchors = {anchors, anchors};
  options.aggregate.floor = std::stod(arguments.at(2));
  options.merge.thresholds.clear();
  for (std::size_t i = 3; i < arguments.size(); ++i) {
    options.merge.thresholds.push_back(std::stod(arguments[i]));
  }
  Server server(arguments.at(0), options);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, file;
    int number = 0;
    words >> command >> number >> file;
    std::string answer = "0 0";
    if (command == "write_labels") {
      server.write_labels(file);
    } else if (command == "write_proposals") {
      server.write_proposals(file, number);
    } else {
      answer = server.answer(command, number);
    }
    std::cout << answer << std::endl;
  }
}

void make(const std::vector<std::string>& arguments) {
  const std::string& folder = arguments.back();
  const bool half = arguments.at(arguments.size() - 2) == "f16";
  if (arguments.front() == "coffee") {
    return half ? write<Eigen::half>(bench::make_coffee<Eigen::half>(8), folder)
                : write<float>(bench::make_coffee(8), folder);
  }
  const std::string& image = arguments.at(1);
  const std::string& model = arguments.at(2);
  return half ? make_photo<Eigen::half>(image, model, folder)
              : make_photo<float>(image, model, folder);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::size_t count = arguments.size();
  if (count >= 5 && arguments[0] == "serve") {
    serve({arguments.begin() + 1, arguments.end()});
  } else if (count == 1 && arguments[0] == "version") {
    std::cout << "compiler " << __VERSION__ << ", Eigen " << EIGEN_WORLD_VERSION << '.'
              << EIGEN_MAJOR_VERSION << '.' << EIGEN_MINOR_VERSION << " ("
              << Eigen::SimdInstructionSetsInUse() << ")\n";
  } else if ((count == 3 && arguments[0] == "coffee") || (count == 5 && arguments[0] == "photo")) {
    make(arguments);
  } else {
    std::cerr << "usage: pipeline_peer coffee|photo|serve ..., see the source\n";
    return 2;
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "pipeline_peer: " << error.what() << '\n';
  return 1;
}
