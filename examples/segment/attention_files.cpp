// SPDX-License-Identifier: MIT
#include "attention_files.hpp"

#include <algorithm>
#include <cmath>
#include <diffseg/attention/models.hpp>
#include <diffseg/io/error.hpp>
#include <diffseg/io/npy.hpp>
#include <numeric>

#include "array_files.hpp"
#include "manifest.hpp"
#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;
using diffseg::GridSize;
using diffseg::Index;
using diffseg::Layer;
using diffseg::Tensor;

namespace {

/// Queries and keys as one layer that keeps both.
Layer join(const Tensor& query, const Tensor& key, const ManifestEntry& entry) {
  const auto check = [&](const Tensor& tensor) {
    if (tensor.shape.size() == 3) return;
    throw diffseg::io_error(tensor.name + ": shape: queries and keys are [heads, tokens, depth]; " +
                            "reshape them");
  };
  check(query);
  check(key);
  const Index depth = query.shape[2];
  Layer layer = layer_from(query, {.queries = entry.queries, .keys = {1, depth}});
  const GridSize key_grid = entry.keys != GridSize{}         ? entry.keys
                            : key.shape[1] == query.shape[1] ? layer.queries
                                                             : GridSize{};
  const Layer other = layer_from(key, {.queries = key_grid, .keys = {1, key.shape[2]}});
  if (other.type != layer.type || other.heads != layer.heads || key.shape[2] != depth)
    throw diffseg::io_error(message(key.name, ": shape: must have the heads, depth and type of ",
                                    query.name, "; save both alike"));
  layer.kind = diffseg::LayerKind::queries_keys;
  layer.keys = other.queries;
  layer.key_data = other.data;
  layer.depth = depth;
  layer.scale = entry.scale;
  using Owners = std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>;
  layer.owner = std::make_shared<const Owners>(query.owner, key.owner);
  return layer;
}

Layer read_layer(ArrayFiles& files, const ManifestEntry& entry) {
  const Tensor tensor = files.read(entry.file, entry.array);
  if (entry.kind == diffseg::LayerKind::queries_keys)
    return join(tensor, files.read(entry.file, entry.key_array), entry);
  Layer layer = layer_from(tensor, {.queries = entry.queries, .keys = entry.keys});
  layer.kind = entry.kind;
  return layer;
}

/// [heads, queries, tokens], the tokens in one row.
Layer cross_layer(const Tensor& tensor, GridSize queries) {
  if (tensor.shape.size() < 3)
    throw diffseg::io_error(tensor.name +
                            ": shape: cross-attention is [heads, queries, tokens]; reshape it");
  return layer_from(tensor, {.queries = queries, .keys = {1, tensor.shape.back()}});
}

/// The same for every grid, shared among its layers.
std::vector<double> weights_by_grid(const diffseg::Layers& layers) {
  std::vector<double> weights;
  for (const Layer& layer : layers) {
    const auto alike = std::count_if(layers.begin(), layers.end(), [&](const Layer& other) {
      return other.queries == layer.queries;
    });
    weights.push_back(1.0 / static_cast<double>(alike));
  }
  return weights;
}

/// Proportional to the side of the grid.
std::vector<double> weights_by_side(const diffseg::Layers& layers) {
  std::vector<double> weights = weights_by_grid(layers);
  for (std::size_t i = 0; i < layers.size(); ++i)
    weights[i] *= std::sqrt(static_cast<double>(layers[i].queries.cells()));
  return weights;
}

/// Nothing for the layers that the model's preset leaves out, where all of them are there.
void keep_preset_layers(const std::string& model, std::vector<double>& weights) {
  const diffseg::ModelPreset preset = diffseg::model_preset(model);
  if (preset.end_layer == 0 || static_cast<Index>(weights.size()) != preset.layers) return;
  std::fill(weights.begin(), weights.begin() + preset.first_layer, 0.0);
  std::fill(weights.begin() + preset.end_layer, weights.end(), 0.0);
}

void normalise(std::vector<double>& weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
}

/// The tokens of all cross-attention, and of the manifest, are the same in number.
void check_tokens(const Attention& attention, const std::string& name) {
  const Index texts = static_cast<Index>(attention.tokens.size());
  for (const Layer& layer : attention.cross) {
    const Index expected = texts != 0 ? texts : attention.cross.front().keys.width;
    if (layer.keys.width == expected) continue;
    throw diffseg::io_error(message(name, ": ", texts != 0 ? "tokens" : "shape",
                                    ": cross-attention of ", layer.keys.width, " tokens beside ",
                                    expected, texts != 0 ? " texts" : "",
                                    "; they must be those of one prompt"));
  }
}

Attention read_by_manifest(const fs::path& path) {
  const Manifest manifest = read_manifest(path);
  ArrayFiles files;
  Attention attention;
  attention.tokens = manifest.tokens;
  attention.model = manifest.model;
  for (const ManifestEntry& entry : manifest.layers) {
    attention.self.push_back(read_layer(files, entry));
    attention.self.back().name = path.string() + ": " + entry.field;
    if (entry.weight) attention.weights.push_back(*entry.weight);
  }
  for (const ManifestEntry& entry : manifest.cross) {
    const Tensor tensor = files.read(entry.file, entry.array);
    attention.cross.push_back(cross_layer(tensor, entry.queries));
    if (entry.weight) attention.cross_weights.push_back(*entry.weight);
  }
  return attention;
}

/// One array whose shape says what it is.
void sort_in(const Tensor& tensor, Attention& attention) {
  if (tensor.shape.size() == 3 && tensor.shape[1] != tensor.shape[2]) {
    attention.cross.push_back(cross_layer(tensor, {}));
    return;
  }
  attention.self.push_back(layer_from(tensor));
}

Attention read_by_shape(const std::vector<fs::path>& paths) {
  ArrayFiles files;
  Attention attention;
  for (const fs::path& path : paths) {
    for (const std::string& name : files.names(path)) sort_in(files.read(path, name), attention);
  }
  if (attention.self.empty()) {
    throw diffseg::io_error(paths.front().string() +
                            ": shape: no self-attention [heads, n, n] among the arrays; export it");
  }
  return attention;
}

/// The files of a folder, by name: its manifest alone, if it has one.
std::vector<fs::path> list_folder(const fs::path& folder) {
  std::vector<fs::path> arrays;
  std::vector<fs::path> manifests;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (ArrayFiles::reads(entry.path())) arrays.push_back(entry.path());
    if (entry.path().extension() == ".json") manifests.push_back(entry.path());
  }
  if (manifests.size() > 1)
    throw diffseg::io_error(folder.string() + ": folder: holds several .json files; name one");
  if (manifests.empty() && arrays.empty())
    throw diffseg::io_error(folder.string() +
                            ": folder: holds no .npy, .npz, .safetensors or manifest; name "
                            "another");
  std::sort(arrays.begin(), arrays.end());
  return manifests.empty() ? arrays : manifests;
}

}  // namespace

Attention read_attention(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    const auto listed = fs::is_directory(path) ? list_folder(path) : std::vector<fs::path>{path};
    files.insert(files.end(), listed.begin(), listed.end());
  }
  const auto is_manifest = [](const fs::path& file) { return file.extension() == ".json"; };
  const bool manifest = std::any_of(files.begin(), files.end(), is_manifest);
  if (manifest && files.size() > 1)
    throw diffseg::io_error(
        std::find_if(files.begin(), files.end(), is_manifest)->string() +
        ": file: a manifest lists all files of a photo; give it without other files");
  Attention attention = manifest ? read_by_manifest(files.front()) : read_by_shape(files);
  if (attention.weights.empty()) {
    attention.weights = weights_by_side(attention.self);
    keep_preset_layers(attention.model, attention.weights);
  }
  if (attention.cross_weights.empty()) attention.cross_weights = weights_by_grid(attention.cross);
  normalise(attention.weights);
  check_tokens(attention, files.front().string());
  return attention;
}

}  // namespace cli
