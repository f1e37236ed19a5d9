// SPDX-License-Identifier: MIT
#include "cases.hpp"

#include <algorithm>
#include <diffseg/diffseg.hpp>
#include <stdexcept>

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

Case load_photo(const fs::path& path) {
  Case result{.source = "photos",
              .name = path.stem().string(),
              .layers = {},
              .exact = {},
              .photo = cli::read_photo(path),
              .truths = {}};
  result.layers = diffseg::Affinity{}(result.photo);
  const GridSize grid = result.layers.front().queries;
  result.exact.compare.anchors = {grid.height / 4, grid.width / 4};
  result.exact.merge.thresholds = {1.3, 1.3, 1.3};
  result.exact.assign.size = result.photo.size;
  for (int i = 0;; ++i) {
    const fs::path truth =
        path.parent_path() / (result.name + ".truth" + std::to_string(i) + ".png");
    if (!fs::exists(truth)) return result;
    result.truths.push_back(cli::read_labels(truth));
  }
}

bool is_photo(const fs::path& path) {
  const std::string name = path.filename().string();
  const bool labels =
      name.find(".truth") != std::string::npos || name.find(".labels") != std::string::npos;
  return !labels && (path.extension() == ".jpg" || path.extension() == ".png");
}

}  // namespace

std::vector<CaseFile> find_cases(const fs::path& golden, const fs::path& photos,
                                 std::size_t photos_at_most) {
  std::vector<CaseFile> result;
  for (const golden::Case& test : golden::load_all(golden)) {
    result.push_back({"attention", test.folder});
  }
  if (photos.empty()) return result;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(photos)) {
    if (is_photo(entry.path())) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  files.resize(std::min(files.size(), photos_at_most));
  for (const fs::path& file : files) result.push_back({"photos", file});
  return result;
}

Case load_case(const CaseFile& file, Index heads) {
  return file.source == "photos" ? load_photo(file.path) : load_golden(file.path, heads);
}

}  // namespace study
