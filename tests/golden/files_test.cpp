// SPDX-License-Identifier: MIT
// A golden case that came out of files has the labels of the same numbers in memory.
#include <diffseg/io/npz.hpp>
#include <diffseg/io/safetensors.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"
#include "support/golden_labels.hpp"

namespace {

using diffseg::Labels;
using diffseg::Layer;
using diffseg::Layers;
using golden::Case;

/// The smallest of the cases: its attention becomes files several times.
Case small_case() {
  const auto cases = golden::load_all(DIFFSEG_GOLDEN_DIR);
  if (cases.empty()) FAIL("no golden case: no folder with a case.json");
  return *std::min_element(cases.begin(), cases.end(),
                           [](const Case& a, const Case& b) { return a.heads < b.heads; });
}

template <class Element>
std::span<const Element> numbers_of(const Layer& layer) {
  const auto count = layer.heads * layer.queries.cells() * layer.keys.cells();
  return {static_cast<const Element*>(layer.data), static_cast<std::size_t>(count)};
}

std::string name_of(const Layer& layer) {
  return "self_" + std::to_string(layer.keys.width);
}

/// Every layer as NAME.npy in `folder`, and all of them as a.npz and a.safetensors.
template <class Element>
void write_files(const Layers& layers, const std::filesystem::path& folder, const char* dtype) {
  std::vector<support::ZipEntry> entries;
  std::string json = "{";
  std::string payload;
  for (const Layer& layer : layers) {
    const auto numbers = numbers_of<Element>(layer);
    const std::string name = name_of(layer);
    const auto path = folder / (name + ".npy");
    diffseg::write_npy<Element>(path, {layer.heads, layer.queries.cells(), layer.keys.cells()},
                                numbers);
    entries.push_back({name + ".npy", support::text_of(path)});
    const std::size_t begin = payload.size();
    payload.append(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes());
    json += diffseg::detail::message(json.size() > 1 ? "," : "", '"', name, R"(":{"dtype":")",
                                     dtype, R"(","shape":[)", layer.heads, ',',
                                     layer.queries.cells(), ',', layer.keys.cells(),
                                     R"(],"data_offsets":[)", begin, ',', payload.size(), "]}");
  }
  support::write_text(folder / "a.npz", support::zip_of(entries).bytes);
  support::write_text(folder / "a.safetensors", support::safetensors_of(json + "}", payload));
}

/// The same layers from the files of each format.
std::vector<Layers> read_files(const Layers& layers, const std::filesystem::path& folder) {
  std::vector<Layers> read(3);
  const diffseg::NpzFile npz(folder / "a.npz");
  const diffseg::SafetensorsFile safetensors(folder / "a.safetensors");
  for (const Layer& layer : layers) {
    const std::string name = name_of(layer);
    read[0].push_back(diffseg::layer_from(diffseg::read_npy(folder / (name + ".npy"))));
    read[1].push_back(diffseg::layer_from(npz.read(name)));
    read[2].push_back(diffseg::layer_from(safetensors.read(name)));
  }
  return read;
}

}  // namespace

TEMPLATE_TEST_CASE("golden: attention out of files of every format gives the labels of memory",
                   "[law][golden][io][long]", float, Eigen::half) {
  const Case test = small_case();
  const Layers layers = golden::layers<TestType>(test);
  const Labels expected = labels_of(test, layers);
  const support::Folder folder;
  write_files<TestType>(layers, folder.path, sizeof(TestType) == 2 ? "F16" : "F32");
  for (const Layers& read : read_files(layers, folder.path)) {
    REQUIRE(read[0].type == layers[0].type);
    REQUIRE((labels_of(test, read).values == expected.values));  // without printing them
  }
}
