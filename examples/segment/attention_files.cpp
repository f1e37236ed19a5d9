// SPDX-License-Identifier: MIT
#include "attention_files.hpp"

#include <algorithm>
#include <cmath>
#include <diffseg/attention/models.hpp>
#include <diffseg/io/error.hpp>
#include <diffseg/io/npy.hpp>
#include <numeric>
#include <set>

#include "array_files.hpp"
#include "array_use.hpp"
#include "folder.hpp"
#include "manifest.hpp"
#include "sidecar.hpp"
#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;
using diffseg::GridSize;
using diffseg::Index;
using diffseg::Layer;
using diffseg::LayerGrids;
using diffseg::Tensor;

namespace {

/// [1, heads, ...] as [heads, ...]: a batch of one.
Tensor unbatched(Tensor tensor) {
  if (tensor.shape.size() == 4 && tensor.shape[0] == 1) tensor.shape.erase(tensor.shape.begin());
  return tensor;
}

/// layer_from, whose hint at tokens that are no cells names the options of this program.
Layer read_as_layer(const Tensor& tensor, const LayerGrids& grids) {
  try {
    return layer_from(tensor, grids);
  } catch (const diffseg::io_error& error) {
    const std::string text = error.what();
    if (!grids.skip.empty() || text.find("skip") == std::string::npos) throw;
    throw diffseg::io_error(text +
                            "; tokens are skipped by --skip-first and --skip-last, or by "
                            "\"skip\" in a manifest");
  }
}

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
  const bool whole = entry.skip.empty();
  const auto grid_of = [&](const Tensor& tensor, GridSize given) {
    return whole ? given : GridSize{1, tensor.shape[1]};
  };
  Layer layer =
      read_as_layer(query, {.queries = grid_of(query, entry.queries), .keys = {1, depth}});
  const GridSize key_grid = entry.keys != GridSize{}         ? entry.keys
                            : key.shape[1] == query.shape[1] ? layer.queries
                                                             : GridSize{};
  const Layer other =
      read_as_layer(key, {.queries = grid_of(key, key_grid), .keys = {1, key.shape[2]}});
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
  return whole ? layer : skip_tokens(layer, entry.skip, entry.queries);
}

Layer read_layer(ArrayFiles& files, const ManifestEntry& entry) {
  const Tensor tensor = files.read(entry.file, entry.array);
  if (entry.kind == diffseg::LayerKind::queries_keys)
    return join(unbatched(tensor), unbatched(files.read(entry.file, entry.key_array)), entry);
  Layer layer =
      read_as_layer(tensor, {.queries = entry.queries, .keys = entry.keys, .skip = entry.skip});
  layer.kind = entry.kind;
  layer.partial = layer.partial && entry.kind == diffseg::LayerKind::probabilities;
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

/// `skip` goes before what the manifest says.
Attention read_by_manifest(const fs::path& path, const diffseg::SkipTokens& skip) {
  const Manifest manifest = read_manifest(path);
  ArrayFiles files;
  Attention attention;
  attention.tokens = manifest.tokens;
  attention.model = manifest.model;
  for (ManifestEntry entry : manifest.layers) {
    if (!skip.empty()) entry.skip = skip;
    attention.self.push_back(read_layer(files, entry));
    attention.self.back().name = path.string() + ": " + entry.field;
    if (entry.weight) attention.weights.push_back(*entry.weight);
  }
  for (const ManifestEntry& entry : manifest.cross) {
    Tensor tensor = files.read(entry.file, entry.array);
    const bool batch = tensor.shape.size() == 4 && tensor.shape[2] == entry.queries.cells();
    if (batch && entry.queries.height != tensor.shape[1]) tensor = unbatched(std::move(tensor));
    attention.cross.push_back(cross_layer(tensor, entry.queries));
    if (entry.weight) attention.cross_weights.push_back(*entry.weight);
  }
  attention.files = files.watches();
  return attention;
}

std::vector<SortedArray> read_all(ArrayFiles& files, const std::vector<fs::path>& paths) {
  std::vector<SortedArray> arrays;
  for (const fs::path& path : paths) {
    for (const std::string& name : files.names(path)) {
      try {
        arrays.push_back(sort_array(files.read(path, name)));
      } catch (const diffseg::type_error& error) {
        arrays.push_back({.why_not = error.what()});
      }
    }
  }
  return arrays;
}

Attention read_by_shape(const std::vector<fs::path>& paths, const diffseg::SkipTokens& skip) {
  ArrayFiles files;
  std::vector<SortedArray> arrays = read_all(files, paths);
  settle(arrays);
  Attention attention;
  attention.files = files.watches();
  for (SortedArray& array : arrays) {
    if (array.use == ArrayUse::none) {
      attention.passed_over.push_back(array.why_not);
    } else if (array.use == ArrayUse::cross) {
      attention.cross.push_back(cross_layer(array.tensor, {}));
    } else {
      attention.self.push_back(read_as_layer(array.tensor, {.skip = skip}));
    }
  }
  if (!attention.self.empty()) return attention;
  // An array alone tells best itself what it lacks.
  if (arrays.size() == 1 && arrays[0].use == ArrayUse::none && !arrays[0].tensor.name.empty())
    static_cast<void>(layer_from(arrays[0].tensor));
  throw diffseg::io_error(
      paths.front().string() + ": shape: no self-attention [heads, n, n] among the arrays" +
      (attention.passed_over.empty() ? "" : " (" + attention.passed_over.front() + ")") +
      "; export it");
}

/// The files of a folder, by name: its manifest alone, if it has one.
std::vector<fs::path> list_arrays(const fs::path& folder) {
  std::vector<fs::path> arrays;
  std::vector<fs::path> manifests;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path& path = entries->path();
    if (path.filename().string().starts_with('.')) continue;
    if (ArrayFiles::reads(path)) arrays.push_back(path);
    if (path.extension() == ".json" && !is_sidecar(path)) manifests.push_back(path);
  }
  if (error) throw diffseg::io_error(folder.string() + ": folder: " + why_unreadable(error));
  if (manifests.size() > 1)
    throw diffseg::io_error(folder.string() + ": folder: holds several .json files; name one");
  if (manifests.empty() && arrays.empty())
    throw diffseg::io_error(folder.string() +
                            ": folder: holds no .npy, .npz, .safetensors or manifest; name "
                            "another");
  std::sort(arrays.begin(), arrays.end());
  return manifests.empty() ? arrays : manifests;
}

std::vector<fs::path> list_files(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    std::error_code ignored;
    const auto listed =
        fs::is_directory(path, ignored) ? list_arrays(path) : std::vector<fs::path>{path};
    files.insert(files.end(), listed.begin(), listed.end());
  }
  return files;
}

bool is_manifest(const fs::path& file) {
  return file.extension() == ".json";
}

}  // namespace

bool Attention::is_cut_off() const {
  return std::any_of(files.begin(), files.end(),
                     [](const auto& file) { return file->is_cut_off(); });
}

Attention read_attention(const std::vector<fs::path>& paths, const diffseg::SkipTokens& skip) {
  const std::vector<fs::path> files = list_files(paths);
  const bool manifest = std::any_of(files.begin(), files.end(), is_manifest);
  if (manifest && files.size() > 1)
    throw diffseg::io_error(
        std::find_if(files.begin(), files.end(), is_manifest)->string() +
        ": file: a manifest lists all files of a photo; give it without other files");
  Attention attention =
      manifest ? read_by_manifest(files.front(), skip) : read_by_shape(files, skip);
  if (attention.weights.empty()) {
    attention.weights = weights_by_side(attention.self);
    keep_preset_layers(attention.model, attention.weights);
  }
  if (attention.cross_weights.empty()) attention.cross_weights = weights_by_grid(attention.cross);
  normalise(attention.weights);
  check_tokens(attention, files.front().string());
  return attention;
}

std::vector<fs::path> files_of(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files = list_files(paths);
  if (!is_manifest(files.front())) return files;
  const Manifest manifest = read_manifest(files.front());
  std::set<fs::path> arrays;
  for (const ManifestEntry& entry : manifest.layers) arrays.insert(entry.file);
  for (const ManifestEntry& entry : manifest.cross) arrays.insert(entry.file);
  files.insert(files.end(), arrays.begin(), arrays.end());
  return files;
}

}  // namespace cli
