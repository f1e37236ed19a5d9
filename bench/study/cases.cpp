// SPDX-License-Identifier: MIT
#include "cases.hpp"

#include <algorithm>
#include <diffseg/attention/models.hpp>
#include <diffseg/diffseg.hpp>
#include <stdexcept>

#include "attention_files.hpp"
#include "label_io.hpp"
#include "photo_io.hpp"
#include "support/golden.hpp"

namespace study {

namespace {

namespace fs = std::filesystem;

/// The same layer with `heads` heads, those it has in turns.
diffseg::Layer repeat_heads(const diffseg::Layer& layer, Index heads) {
  const Index size = layer.head_step();
  const auto* data = static_cast<const float*>(layer.data);
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(heads * size));
  for (Index head = 0; head < heads; ++head) {
    const float* from = data + head % layer.heads * size;
    values.insert(values.end(), from, from + size);
  }
  return diffseg::Layer::owning(std::move(values), heads, layer.queries);
}

/// With the case's own anchors; a refined case's labels come from another stage.
void check_published_labels(const Case& result, const golden::Case& test) {
  if (test.refine) return;
  auto options = result.exact;
  options.compare.anchors = {test.points, test.points};
  options.compare.placement = diffseg::Compare::Placement::published;
  options.assign.ids = diffseg::Assign::Ids::reference;
  const Labels labels = diffseg::segment(result.layers, options);
  const auto expected = test.read("labels").as<std::int32_t>();
  double equal = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) equal += labels.values.at(i) == expected[i];
  if (equal >= 0.999 * static_cast<double>(expected.size())) return;
  throw std::runtime_error(result.name + ": labels differ from the published ones");
}

Case load_golden(const fs::path& folder, Index heads) {
  const golden::Case test = golden::load(folder);
  Case result{.source = "attention",
              .name = test.name,
              .layers = {},
              .exact = {},
              .photo = {},
              .truths = {}};
  for (const diffseg::Layer& layer : golden::layers<float>(test)) {
    result.layers.push_back(repeat_heads(layer, std::max(heads, layer.heads)));
  }
  result.exact.aggregate.weights = test.weights;
  result.exact.merge.thresholds = test.thresholds;
  check_published_labels(result, test);
  return result;
}

/// What annotators drew, beside the photo.
std::vector<Labels> truths_of(const fs::path& photo) {
  std::vector<Labels> truths;
  for (int i = 0;; ++i) {
    fs::path truth = photo;
    truth.replace_extension(".truth" + std::to_string(i) + ".png");
    if (!fs::exists(truth)) return truths;
    truths.push_back(cli::read_labels(truth));
  }
}

Case load_photo(const fs::path& path) {
  Case result{.source = "photos",
              .name = path.stem().string(),
              .layers = {},
              .exact = {},
              .photo = cli::load_photo(path).image,
              .truths = {}};
  result.layers = diffseg::Affinity{}(result.photo);
  const GridSize grid = result.layers.front().queries;
  result.exact.compare.anchors = {grid.height / 4, grid.width / 4};
  result.exact.merge.thresholds = {1.3, 1.3, 1.3};
  result.exact.assign.size = result.photo.size;
  result.truths = truths_of(path);
  return result;
}

/// The attention of every head as it would be stored, whatever it is made of.
diffseg::Layer dense_heads(const diffseg::Layer& layer) {
  const Index cells = layer.queries.cells();
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(layer.heads * cells * cells));
  for (Index head = 0; head < layer.heads; ++head) {
    diffseg::Layer one = layer;
    one.head_weights.assign(static_cast<std::size_t>(layer.heads), 0);
    one.head_weights[static_cast<std::size_t>(head)] = 1;
    const auto maps = diffseg::Aggregate{}({one});
    values.insert(values.end(), maps.rows().data(), maps.rows().data() + cells * cells);
  }
  return diffseg::Layer::owning(std::move(values), layer.heads, layer.queries);
}

/// As the program takes it: the threshold of the model's preset, 16 x 16 published anchors.
Case load_trained(const fs::path& folder, const fs::path& photo) {
  const cli::Attention attention = cli::read_attention({folder});
  Case result{.source = "trained",
              .name = folder.filename().string(),
              .layers = {},
              .exact = {},
              .photo = {},
              .truths = {}};
  for (const diffseg::Layer& layer : attention.self) result.layers.push_back(dense_heads(layer));
  const double known = diffseg::model_preset(attention.model).threshold;
  result.exact.aggregate.weights = attention.weights;
  result.exact.compare.placement = diffseg::Compare::Placement::published;
  result.exact.compare.fit = true;
  if (known > 0) result.exact.merge.thresholds.assign(3, known);
  if (photo.empty()) return result;
  result.exact.assign.size = cli::load_photo(photo).image.size;
  result.truths = truths_of(photo);
  return result;
}

bool is_photo(const fs::path& path) {
  const std::string name = path.filename().string();
  const bool labels =
      name.find(".truth") != std::string::npos || name.find(".labels") != std::string::npos;
  return !labels && (path.extension() == ".jpg" || path.extension() == ".png");
}

/// The first files or folders of `folder` that are `wanted`, by name.
template <class Wanted>
std::vector<fs::path> first_of(const fs::path& folder, std::size_t at_most, const Wanted& wanted) {
  std::vector<fs::path> paths;
  if (folder.empty()) return paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (wanted(entry.path())) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  paths.resize(std::min(paths.size(), at_most));
  return paths;
}

}  // namespace

std::vector<CaseFile> find_cases(const Folders& folders) {
  std::vector<CaseFile> result;
  for (const golden::Case& test : golden::load_all(folders.golden)) {
    result.push_back({"attention", test.folder, {}});
  }
  for (const auto& file : first_of(folders.photos, folders.photos_at_most, is_photo)) {
    result.push_back({"photos", file, {}});
  }
  const auto is_folder = [](const fs::path& path) { return fs::is_directory(path); };
  for (const auto& folder : first_of(folders.trained, folders.photos_at_most, is_folder)) {
    const fs::path photo = folders.photos / (folder.filename().string() + ".jpg");
    result.push_back({"trained", folder, fs::exists(photo) ? photo : fs::path()});
  }
  return result;
}

Case load_case(const CaseFile& file, Index heads) {
  if (file.source == "trained") return load_trained(file.path, file.photo);
  return file.source == "photos" ? load_photo(file.path) : load_golden(file.path, heads);
}

}  // namespace study
