// SPDX-License-Identifier: MIT
// Random layers of every kind, type and layout; what no layer owns is not a number.
#pragma once

#include <cmath>
#include <cstring>
#include <diffseg/data/layer.hpp>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "trust/differential.hpp"

namespace trust {

using diffseg::ElementType;
using diffseg::Layer;
using diffseg::LayerKind;
using diffseg::Layers;

/// Numbers of a type, each of which can be set; `shift` bytes behind an address that suits them.
struct Storage {
  ElementType type;
  std::size_t shift;
  std::vector<std::byte> bytes;

  Storage(ElementType kind, Index count, std::size_t behind)
      : type(kind),
        shift(behind),
        bytes(shift + static_cast<std::size_t>(count * diffseg::detail::element_bytes(kind)),
              std::byte{0xff}) {}

  [[nodiscard]] const void* data() const { return bytes.data() + shift; }

  void set(Index i, double value) {
    const auto put = [&](auto number) {
      std::memcpy(bytes.data() + shift + static_cast<std::size_t>(i) * sizeof(number), &number,
                  sizeof(number));
    };
    if (type == ElementType::f16) put(static_cast<Eigen::half>(static_cast<float>(value)));
    if (type == ElementType::bf16) put(static_cast<Eigen::bfloat16>(static_cast<float>(value)));
    if (type == ElementType::f32) put(static_cast<float>(value));
    if (type == ElementType::f64) put(value);
  }
};

/// Where numbers begin: half of them at an address that suits them.
inline std::size_t random_shift(Case& test) {
  return test.chance(0.5) ? 0 : static_cast<std::size_t>(test.random.integer(1, 7));
}

/// Layers, and what keeps the numbers of views alive.
struct Made {
  Layers layers;
  std::vector<std::shared_ptr<const void>> kept;
};

/// How [heads, rows, width] numbers lie.
struct Layout {
  Index row_stride = 0, head_stride = 0;  // as a layer has them, 0: dense
  Index row = 0, head = 0, count = 0;     // as they are
};

inline Layout random_layout(Case& test, Index heads, Index rows, Index width) {
  Layout layout;
  switch (test.random.integer(0, 3)) {
    case 0:  // rows and heads with gaps
      layout.row_stride = width + test.random.integer(0, 5);
      layout.head_stride = rows * layout.row_stride + test.random.integer(0, 7);
      break;
    case 1:  // [rows, heads, width]
      layout.head_stride = width;
      layout.row_stride = heads * width;
      break;
    default:
      break;
  }
  layout.row = layout.row_stride != 0 ? layout.row_stride : width;
  layout.head = layout.head_stride != 0 ? layout.head_stride : layout.row * rows;
  layout.count = (heads - 1) * layout.head + (rows - 1) * layout.row + width;
  return layout;
}

/// A distribution over so many keys, with zeros.
inline std::vector<double> random_distribution(Case& test, Index keys, double contrast,
                                               double zeros) {
  std::vector<double> row(static_cast<std::size_t>(keys));
  for (double& value : row) {
    value = test.chance(zeros) ? 0 : std::exp(contrast * test.random.normal());
  }
  row[static_cast<std::size_t>(test.random.integer(0, keys - 1))] = std::exp(contrast);
  const double sum = std::accumulate(row.begin(), row.end(), 0.0);
  for (double& value : row) value /= sum;
  return row;
}

inline Layer dense_layer(Case& test, Layer layer, Made& made) {
  const Index keys = layer.keys.cells();
  const Layout layout = random_layout(test, layer.heads, layer.queries.cells(), keys);
  auto storage = std::make_shared<Storage>(layer.type, layout.count, random_shift(test));
  const double contrast = test.random.uniform(0, 3);
  const double zeros = test.any({0.0, 0.0, 0.3});
  const double scale = test.any({1.0, 1.0, 8.0, 0.01});
  for (Index head = 0; head < layer.heads; ++head) {
    for (Index query = 0; query < layer.queries.cells(); ++query) {
      const Index begin = head * layout.head + query * layout.row;
      const auto row = random_distribution(test, keys, contrast, zeros);
      for (Index k = 0; k < keys; ++k) {
        double value = scale * row[static_cast<std::size_t>(k)];
        if (layer.kind == LayerKind::scores) value = 3 * contrast * test.random.normal();
        if (layer.kind == LayerKind::scores && k > 0 && test.chance(zeros)) {
          value = -std::numeric_limits<double>::infinity();
        }
        storage->set(begin + k, value);
      }
    }
  }
  layer.data = storage->data();
  layer.row_stride = layout.row_stride;
  layer.head_stride = layout.head_stride;
  made.kept.push_back(storage);
  return layer;
}

inline Layer product_layer(Case& test, Layer layer, Made& made) {
  layer.depth = test.random.integer(1, 20);
  layer.scale = test.any({0.0, 0.0, 0.3, 1.0});
  const double contrast = test.random.uniform(0, 2);
  const auto fill = [&](Index rows, Index& row_stride, Index& head_stride) {
    const Layout layout = random_layout(test, layer.heads, rows, layer.depth);
    auto storage = std::make_shared<Storage>(layer.type, layout.count, random_shift(test));
    for (Index head = 0; head < layer.heads; ++head) {
      for (Index row = 0; row < rows; ++row) {
        for (Index i = 0; i < layer.depth; ++i) {
          storage->set(head * layout.head + row * layout.row + i, contrast * test.random.normal());
        }
      }
    }
    row_stride = layout.row_stride;
    head_stride = layout.head_stride;
    made.kept.push_back(storage);
    return storage->data();
  };
  layer.data = fill(layer.queries.cells(), layer.row_stride, layer.head_stride);
  layer.key_data = fill(layer.keys.cells(), layer.key_row_stride, layer.key_head_stride);
  return layer;
}

/// What a sparse layer points at.
struct SparseStorage {
  Storage values;
  std::vector<std::int32_t> narrow;
  std::vector<std::int64_t> wide;
  std::vector<Index> starts;
};

inline Layer sparse_layer(Case& test, Layer layer, Made& made) {
  const Index keys = layer.keys.cells();
  const Index rows = layer.heads * layer.queries.cells();
  layer.spread_rest = !layer.partial && test.chance(0.4);
  const Index skipped = test.random.integer(0, 3);  // numbers in front of the first row
  auto storage = std::make_shared<SparseStorage>(
      SparseStorage{{layer.type, skipped + rows * keys, random_shift(test)}, {}, {}, {skipped}});
  storage->wide.assign(static_cast<std::size_t>(skipped), -1);
  const double contrast = test.random.uniform(0, 3);
  const bool ascending = test.chance(0.5);
  std::vector<Index> order(static_cast<std::size_t>(keys));
  for (Index row = 0; row < rows; ++row) {
    const auto numbers = random_distribution(test, keys, contrast, 0);
    std::iota(order.begin(), order.end(), Index{0});
    for (std::size_t i = order.size() - 1; i > 0; --i) {
      std::swap(order[i],
                order[static_cast<std::size_t>(test.random.integer(0, static_cast<Index>(i)))]);
    }
    const bool needed = layer.partial || !layer.head_weights.empty() || row < rows / layer.heads;
    const Index count = test.random.integer(needed ? 1 : 0, keys);
    if (ascending) std::sort(order.begin(), order.begin() + count);
    for (Index i = 0; i < count; ++i) {
      const Index key = order[static_cast<std::size_t>(i)];
      // The first is no zero in half precision either.
      const double least = i == 0 ? 0.004 : 0;
      storage->values.set(storage->starts.back() + i,
                          std::max(least, numbers[static_cast<std::size_t>(key)]));
      storage->wide.push_back(key);
    }
    storage->starts.push_back(storage->starts.back() + count);
  }
  storage->wide.reserve(1);
  storage->narrow.assign(storage->wide.begin(), storage->wide.end());
  storage->narrow.reserve(1);
  layer.data = storage->values.data();
  layer.row_starts = storage->starts.data();
  const bool wide = test.chance(0.5);
  layer.column_type = wide ? Layer::Columns::i64 : Layer::Columns::i32;
  layer.columns = wide ? static_cast<const void*>(storage->wide.data()) : storage->narrow.data();
  made.kept.push_back(storage);
  return layer;
}

/// Adds a random layer on these grids.
inline void add_layer(Case& test, GridSize queries, GridSize keys, LayerKind kind, Made& made) {
  Layer layer;
  layer.kind = kind;
  layer.type = test.any({ElementType::f16, ElementType::bf16, ElementType::f32, ElementType::f64});
  layer.queries = queries;
  layer.keys = keys;
  const bool many = queries.cells() * keys.cells() <= 64 && test.chance(0.3);
  layer.heads = many ? 128 : test.any<Index>({1, 1, 2, 3, 5});
  layer.partial = test.chance(0.2);
  if (test.chance(0.3)) {
    for (Index head = 0; head < layer.heads; ++head) {
      layer.head_weights.push_back(test.chance(0.2) ? 0 : test.random.uniform(0.1, 3));
    }
    layer.head_weights.back() = 1;
  }
  if (kind == LayerKind::queries_keys) layer = product_layer(test, layer, made);
  if (kind == LayerKind::sparse) layer = sparse_layer(test, layer, made);
  if (kind == LayerKind::probabilities || kind == LayerKind::scores) {
    layer = dense_layer(test, layer, made);
  }
  if (test.chance(0.5)) layer.owner = made.kept.back();
  test.describe("layer of kind ", static_cast<int>(kind), ", type ", static_cast<int>(layer.type),
                ", ", layer.heads, " heads, queries ", queries, ", keys ", keys, ", strides ",
                layer.row_stride, " ", layer.head_stride, layer.partial ? ", partial" : "",
                layer.spread_rest ? ", rest spread" : "",
                layer.head_weights.empty() ? "" : ", heads weighted");
  made.layers.push_back(std::move(layer));
}

inline LayerKind random_kind(Case& test) {
  return test.any({LayerKind::probabilities, LayerKind::probabilities, LayerKind::scores,
                   LayerKind::queries_keys, LayerKind::sparse});
}

/// One to four layers, most on the same grids for queries and keys.
inline Made random_layers(Case& test, Index most_cells) {
  Made made;
  const Index count = test.random.integer(1, 4);
  while (static_cast<Index>(made.layers.size()) < count) {
    const GridSize queries = test.grid(most_cells);
    const GridSize keys = test.chance(0.7) ? queries : test.grid(most_cells);
    add_layer(test, queries, keys, random_kind(test), made);
  }
  return made;
}

}  // namespace trust
