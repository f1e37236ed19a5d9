// SPDX-License-Identifier: MIT
// The stages of attention/ beside plain loops.
#include <compiled/double.hpp>
#include <cstring>
#include <diffseg/attention/sharpen.hpp>
#include <diffseg/attention/top_k.hpp>
#include <numeric>

#include "trust/layers.hpp"
#include "trust/plain/attention.hpp"
#include "trust/plain/sparse.hpp"

namespace trust {
namespace {

using namespace diffseg;

template <class Scalar>
constexpr double unit = epsilon<double> / epsilon<Scalar>;

/// found [R x n] within the errors that the plain version foretells to first order.
template <class Scalar>
void compare_rows(Case& test, const char* what, const Matrix<Scalar>& found,
                  const plain::Table& value, const plain::Table& error) {
  test.same("rows", 0, found.rows(), value.rows());
  test.same("columns", 0, found.cols(), value.cols());
  for (Index i = 0; i < found.size(); ++i) {
    test.within(what, i, static_cast<double>(found.data()[i]), value.data()[i],
                both<Scalar> * error.data()[i]);
  }
}

/// One weight per layer of sum 1, given or not.
std::vector<double> random_weights(Case& test, const Layers& layers, Aggregate& stage) {
  std::vector<double> weights;
  const bool given = test.chance(0.4);
  for (const Layer& layer : layers) {
    const auto side = std::sqrt(static_cast<double>(layer.queries.cells()));
    weights.push_back(given ? (test.chance(0.2) ? 0 : test.random.uniform(0.1, 1)) : side);
  }
  if (given) weights.back() = 1;
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  if (given) stage.weights = weights;
  return weights;
}

/// A stage with random options, and the grid it works on.
GridSize random_aggregate(Case& test, const Layers& layers, Aggregate& stage) {
  stage.floor = test.any({1e-30, 1e-30, 1e-12, 1e-9, 1e-4});
  stage.sample = test.chance(0.3);
  GridSize grid{};
  for (const Layer& layer : layers) {
    if (layer.queries.cells() > grid.cells()) grid = layer.queries;
  }
  if (test.chance(0.3)) {
    stage.shrink = test.random.integer(1, 4);
    grid = {(grid.height + stage.shrink - 1) / stage.shrink,
            (grid.width + stage.shrink - 1) / stage.shrink};
  } else if (test.chance(0.5)) {
    stage.grid = grid = test.grid(150);
  }
  test.describe("working grid ", grid, ", floor ", stage.floor, ", shrink ", stage.shrink,
                stage.sample ? ", sampled" : "");
  return grid;
}

template <class Scalar>
void run_aggregate(Case& test) {
  const Made made = random_layers(test, 150);
  Aggregate stage;
  const GridSize grid = random_aggregate(test, made.layers, stage);
  const auto weights = random_weights(test, made.layers, stage);
  Maps<Scalar> maps;
  stage(made.layers, maps);
  test.same("the grid", 0, maps.grid(), grid);
  const auto expected =
      plain::aggregate(made.layers, {grid, weights, stage.floor, stage.sample}, unit<Scalar>);
  compare_rows(test, "a map", maps.rows(), expected.value, expected.error);
}

template <class Scalar>
void run_stream(Case& test) {
  const Made made = random_layers(test, 100);
  Aggregate stage;
  const GridSize grid = test.grid(100);
  stage.grid = grid;
  test.describe("working grid ", grid);
  const auto weights = random_weights(test, made.layers, stage);
  AggregateStream<Scalar> stream(grid, stage.floor);
  for (std::size_t i = 0; i < made.layers.size(); ++i) {
    if (stage.weights.empty()) stream.add(made.layers[i]);
    if (!stage.weights.empty()) stream.add(made.layers[i], weights[i]);
  }
  const Maps<Scalar> maps = stream.finish();
  const auto expected =
      plain::aggregate(made.layers, {grid, weights, stage.floor, false}, unit<Scalar>);
  compare_rows(test, "a map", maps.rows(), expected.value, expected.error);
  Maps<Scalar> at_once;
  stage(made.layers, at_once);
  test.holds("bits of the maps of all layers at once", 0,
             std::memcmp(maps.rows().data(), at_once.rows().data(),
                         sizeof(Scalar) * static_cast<std::size_t>(maps.rows().size())) == 0);
}

template <class Scalar>
void run_cross(Case& test) {
  Made made;
  const Index tokens = test.random.integer(1, 12);
  const Index count = test.random.integer(1, 3);
  while (static_cast<Index>(made.layers.size()) < count) {
    add_layer(test, test.grid(100), {1, tokens}, random_kind(test), made);
  }
  AggregateCross stage;
  stage.size = test.grid(400);
  test.describe("size ", stage.size);
  std::vector<double> weights(made.layers.size(), 1.0);
  if (test.chance(0.5)) {
    for (double& weight : weights) weight = test.random.uniform(0, 2);
    stage.weights = weights;
  }
  std::vector<Index> wanted;
  const bool all = test.chance(0.4);
  for (Index token = 0; token < tokens; ++token) {
    if (all || test.chance(0.5)) wanted.push_back(token);
  }
  if (wanted.empty()) wanted = {tokens - 1};
  if (!all) stage.tokens.assign(wanted.rbegin(), wanted.rend());
  if (!all) stage.tokens.push_back(wanted.front());
  CrossMaps<Scalar> maps;
  stage(made.layers, maps);
  test.holds("tokens", 0, maps.tokens == wanted);
  const auto expected = plain::cross(made.layers, stage.size, weights, wanted, unit<Scalar>);
  compare_rows(test, "a cross map", maps.values, expected.value, expected.error);
}

template <class Scalar>
void run_downsample_layers(Case& test) {
  Made made;
  add_layer(test, test.grid(150), test.grid(150), LayerKind::probabilities, made);
  const Layer& layer = made.layers.front();
  const Downsample stage{test.grid(100)};
  test.describe("size ", stage.size);
  Layers reduced;
  stage.template operator()<Scalar>(made.layers, reduced);
  const Layer& found = reduced.at(0);
  const auto least = [&](GridSize from) {
    return GridSize{std::min(from.height, stage.size.height),
                    std::min(from.width, stage.size.width)};
  };
  test.same("the queries", 0, found.queries, least(layer.queries));
  test.same("the keys", 0, found.keys, least(layer.keys));
  test.same("the heads", 0, found.heads, layer.heads);
  test.same("partial", 0, found.partial, layer.partial);
  test.holds("the weights of the heads", 0, found.head_weights == layer.head_weights);
  const bool wide = layer.type == ElementType::f64;
  for (Index head = 0; head < layer.heads; ++head) {
    const auto expected =
        plain::downsample(layer, head, found.queries, found.keys, wide ? 1 : unit<Scalar>);
    for (Index query = 0; query < found.queries.cells(); ++query) {
      const plain::Row row = plain::dense_row(found, head, query);
      for (Index k = 0; k < row.value.size(); ++k) {
        test.within("a number", query, row.value[k], expected.value(query, k),
                    (wide ? both<double> : both<Scalar>)*expected.error(query, k));
      }
    }
  }
}

template <class Scalar>
void run_downsample_maps(Case& test) {
  const GridSize grid = test.grid(120);
  const Maps<Scalar> maps = support::random_maps<Scalar>(test.random, grid);
  const Downsample stage{test.grid(100)};
  test.describe("maps on ", grid, " to ", stage.size);
  Maps<Scalar> found;
  stage(maps, found);
  const GridSize to{std::min(grid.height, stage.size.height),
                    std::min(grid.width, stage.size.width)};
  test.same("the grid", 0, found.grid(), to);
  const Layer layer = Layer::view(maps.rows().data(), 1, grid);
  const auto expected = plain::downsample(layer, 0, to, to, unit<Scalar>);
  compare_rows(test, "a map", found.rows(), expected.value, expected.error);
}

template <class Scalar>
void run_sharpen(Case& test) {
  const GridSize grid = test.grid(150);
  const double contrast = test.random.uniform(0, 4);
  const Maps<Scalar> maps = support::random_maps<Scalar>(test.random, grid, 4, 0.5, contrast);
  Sharpen stage;
  stage.power = test.chance(0.1) ? 1 : std::exp(test.random.uniform(-2.7, 2.7));
  stage.floor = test.any({1e-30, 1e-12, 1e-9});
  test.describe("maps on ", grid, ", contrast ", contrast, ", power ", stage.power, ", floor ",
                stage.floor);
  const Maps<Scalar> found = stage(maps);
  if (stage.power == 1) {
    test.holds("shared numbers", 0, &found.rows() == &maps.rows());
    return;
  }
  const auto expected =
      plain::sharpen(maps.rows().template cast<double>(), stage.power, stage.floor);
  compare_rows(test, "a map", found.rows(), expected.value, expected.error);
}

/// The stored rows of a sparse layer must be those numbers of the dense one, bit for bit.
void compare_stored(Case& test, const Layer& dense, const Layer& sparse, Index row,
                    const std::vector<Index>& keys) {
  const Index begin = sparse.row_starts[row];
  test.same("numbers of a row", row, sparse.row_starts[row + 1] - begin,
            static_cast<Index>(keys.size()));
  const Index head = row / dense.queries.cells();
  const Index query = row % dense.queries.cells();
  const plain::Row numbers = plain::dense_row(dense, head, query);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Index at = begin + static_cast<Index>(i);
    test.same("a key", row, Index{static_cast<const std::int32_t*>(sparse.columns)[at]}, keys[i]);
    test.same("a number", row, plain::number(sparse, sparse.data, at), numbers.value[keys[i]]);
  }
}

void run_top_k(Case& test) {
  Made made;
  add_layer(test, test.grid(60), test.grid(300), LayerKind::probabilities, made);
  const Layer& dense = made.layers.front();
  const Index keys = dense.keys.cells();
  const Index k = test.chance(0.2) ? keys : test.random.integer(1, keys);
  test.describe("k ", k);
  const Layer sparse = top_k(dense, k);
  for (Index row = 0; row < dense.heads * dense.queries.cells(); ++row) {
    compare_stored(test, dense, sparse, row, plain::largest(dense, row, k));
  }
}

void run_keep_mass(Case& test) {
  Made made;
  add_layer(test, test.grid(60), test.grid(300), LayerKind::probabilities, made);
  const Layer& dense = made.layers.front();
  const double share = test.chance(0.1) ? 1 : test.random.uniform(0.01, 1);
  test.describe("share ", share);
  const Layer sparse = keep_mass(dense, share);
  for (Index row = 0; row < dense.heads * dense.queries.cells(); ++row) {
    const Index found = sparse.row_starts[row + 1] - sparse.row_starts[row];
    const auto [least, most] = plain::count_for(dense, row, share);
    if (least != most) test.undecided();
    test.holds("numbers of a row that hold the share", row, found >= least && found <= most);
    compare_stored(test, dense, sparse, row, plain::largest(dense, row, found));
  }
}

}  // namespace

std::vector<Stage> attention_stages() {
  const char* const first_order =
      "the first order of the worst rounding, number by number (plain/attention.hpp)";
  return {
      {"downsample", first_order,
       either<run_downsample_layers<float>, run_downsample_layers<double>>},
      {"downsample_maps", first_order,
       either<run_downsample_maps<float>, run_downsample_maps<double>>},
      {"aggregate", first_order, either<run_aggregate<float>, run_aggregate<double>>},
      {"stream", "as aggregate, and the bits of Aggregate",
       either<run_stream<float>, run_stream<double>>},
      {"cross", first_order, either<run_cross<float>, run_cross<double>>},
      {"top_k", "the same keys, the same bits", run_top_k},
      {"keep_mass", "the same keys, the same bits; undecided: the share is met to 1e-12",
       run_keep_mass},
      {"sharpen", first_order, either<run_sharpen<float>, run_sharpen<double>>},
  };
}

}  // namespace trust
