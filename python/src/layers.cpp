// SPDX-License-Identifier: MIT
// Layer: attention where it lies, whole, in parts, sparse; and the shapes of models.
#include <nanobind/stl/pair.h>
#include <cstring>
#include <diffseg/attention/models.hpp>
#include <diffseg/attention/sinks.hpp>
#include <diffseg/attention/sparse_layer.hpp>
#include <diffseg/attention/top_k.hpp>
#include <diffseg/data/layer_tokens.hpp>

#include "arrays.hpp"
#include "module.hpp"

namespace binding {

namespace {

using diffseg::Layer;
using diffseg::LayerKind;
using diffseg::TensorView;

/// The grids that were given, for messages of `where`.
diffseg::LayerGrids grids_of(nb::handle queries, nb::handle keys) {
  diffseg::LayerGrids grids;
  read_optional("Layer", "grid", queries, grids.queries);
  read_optional("Layer", "keys", keys, grids.keys);
  return grids;
}

void make_layer(Layer* self, nb::handle attention, nb::handle grid, nb::handle keys,
                nb::handle kind, bool partial, nb::handle head_weights, std::string name) {
  LayerFields fields{grids_of(grid, keys), LayerKind::probabilities, partial, {}, std::move(name)};
  read_or_refuse("Layer", "kind", kind, fields.kind);
  read_optional("Layer", "head_weights", head_weights, fields.head_weights);
  diffseg::detail::require(
      fields.kind == LayerKind::probabilities || fields.kind == LayerKind::scores,
      "Layer: kind must be probabilities or scores here; see queries_and_keys and sparse_layer");
  new (self) Layer(layer_of(attention, fields));
}

/// [tokens, depth] is one head.
TensorView heads_of(nb::handle array, const std::string& name) {
  TensorView view = tensor_of(array, "Layer");
  view.name = name;
  if (view.rank() == 2) {
    view.shape.insert(view.shape.begin(), 1);
    view.strides.insert(view.strides.begin(), 0);
  }
  return view.rank() == 4 && view.shape[0] == 1 ? view.at(0, 0) : view;
}

Layer queries_and_keys(nb::handle queries, nb::handle keys, nb::handle grid, nb::handle key_grid,
                       double scale, const std::string& name) {
  return diffseg::queries_keys_from(heads_of(queries, name), heads_of(keys, name),
                                    grids_of(grid, key_grid), scale);
}

/// The largest numbers of each row and their keys, as torch.topk returns them.
Layer top_k_layer(nb::handle values, nb::handle keys, nb::handle grid, nb::handle key_grid,
                  bool spread_rest, const std::string& name) {
  Layer layer =
      diffseg::top_k_from(heads_of(values, name), heads_of(keys, name), grids_of(grid, key_grid));
  layer.spread_rest = spread_rest;
  layer.check("Layer");
  return layer;
}

/// The rows of a compressed matrix; `starts` are copied, numbers and columns are not.
Layer compressed_layer(nb::handle values, nb::handle columns, nb::handle starts, Index width,
                       nb::handle grid, bool spread_rest, const std::string& name) {
  const TensorView numbers = tensor_of(values, "sparse_layer");
  const TensorView keys = tensor_of(columns, "sparse_layer");
  auto rows = std::make_shared<const std::vector<Index>>(numbers_of<Index>(starts, "sparse_layer"));
  const auto dense = [](const TensorView& view) {
    return view.rank() == 1 && (view.shape[0] <= 1 || view.strides[0] == 1);
  };
  const auto count = static_cast<Index>(rows->size()) - 1;
  const bool wide = keys.type == diffseg::NumberType::i64;
  using diffseg::detail::require;
  require(
      dense(numbers) && dense(keys) && numbers.shape == keys.shape &&
          (wide || keys.type == diffseg::NumberType::i32),
      "sparse_layer: data and indices must be dense rows of one length, indices int32 or int64");
  require(width >= 1 && count >= width && count % width == 0 && rows->back() <= numbers.shape[0],
          "sparse_layer: a matrix must be [heads * cells x cells], its numbers as many as its row "
          "starts say, got ",
          count, " x ", width);
  diffseg::LayerGrids grids = grids_of(grid, nb::none());
  Layer layer = diffseg::detail::layer_of_shape({count / width, width, width}, numbers.type, grids,
                                                diffseg::detail::ViewRefusal{name});
  static const double none = 0;
  layer.kind = LayerKind::sparse;
  layer.data = numbers.shape[0] == 0 ? &none : numbers.data;
  layer.columns = keys.shape[0] == 0 ? &none : keys.data;
  layer.column_type = wide ? Layer::Columns::i64 : Layer::Columns::i32;
  layer.row_starts = rows->data();
  layer.spread_rest = spread_rest;
  layer.name = name;
  layer.owner =
      diffseg::detail::both_owners(rows, diffseg::detail::both_owners(numbers.owner, keys.owner));
  layer.check("Layer");
  return layer;
}

nb::bytes copied(const void* data, Index count, Index bytes, Index rows, Index row_step,
                 Index heads, Index head_step) {
  std::string text;
  text.reserve(static_cast<std::size_t>(heads * rows * count * bytes));
  const auto* from = static_cast<const char*>(data);
  for (Index head = 0; head < heads; ++head) {
    for (Index row = 0; row < rows; ++row) {
      text.append(from + (head * head_step + row * row_step) * bytes,
                  static_cast<std::size_t>(count * bytes));
    }
  }
  return nb::bytes(text.data(), text.size());
}

/// All a layer is, its numbers copied, dense.
nb::tuple state_of(const Layer& layer) {
  const Index bytes = diffseg::detail::element_bytes(layer.type);
  const Index queries = layer.queries.cells();
  nb::bytes data("", 0);
  nb::bytes keys("", 0);
  nb::object starts = nb::none();
  if (layer.kind == LayerKind::sparse) {
    const Index* const rows = layer.row_starts;
    const Index count = layer.heads * queries;
    const Index first = rows[0];
    const Index numbers = rows[count] - first;
    const Index wide = layer.column_type == Layer::Columns::i64 ? 8 : 4;
    data = nb::bytes(static_cast<const char*>(layer.data) + first * bytes,
                     static_cast<std::size_t>(numbers * bytes));
    keys = nb::bytes(static_cast<const char*>(layer.columns) + first * wide,
                     static_cast<std::size_t>(numbers * wide));
    std::vector<Index> all(rows, rows + count + 1);
    for (Index& start : all) start -= first;
    starts = Convert<std::vector<Index>>::write(all);
  } else {
    const Index width = layer.kind == LayerKind::queries_keys ? layer.depth : layer.keys.cells();
    data = copied(layer.data, width, bytes, queries, layer.query_step(), layer.heads,
                  layer.head_step());
    if (layer.kind == LayerKind::queries_keys) {
      keys = copied(layer.key_data, width, bytes, layer.keys.cells(), layer.key_step(), layer.heads,
                    layer.key_head_step());
    }
  }
  return nb::make_tuple(
      Convert<LayerKind>::write(layer.kind), Convert<diffseg::ElementType>::write(layer.type),
      layer.heads, Convert<GridSize>::write(layer.queries), Convert<GridSize>::write(layer.keys),
      layer.depth, layer.scale, layer.partial,
      Convert<std::vector<double>>::write(layer.head_weights), layer.spread_rest, layer.name,
      layer.column_type == Layer::Columns::i64, data, keys, starts);
}

/// What state_of() told, with numbers of its own.
void restore(Layer& layer, const nb::tuple& state) {
  struct Numbers {
    std::vector<std::byte> data, keys;
    std::vector<Index> starts;
  };
  auto numbers = std::make_shared<Numbers>();
  const auto take = [](nb::handle from, std::vector<std::byte>& to) {
    const auto bytes = nb::cast<nb::bytes>(from);
    to.resize(std::max<std::size_t>(1, bytes.size()));
    std::memcpy(to.data(), bytes.c_str(), bytes.size());
  };
  new (&layer) Layer();
  read_or_refuse("Layer", "kind", state[0], layer.kind);
  read_or_refuse("Layer", "dtype", state[1], layer.type);
  layer.heads = nb::cast<Index>(state[2]);
  read_or_refuse("Layer", "queries", state[3], layer.queries);
  read_or_refuse("Layer", "keys", state[4], layer.keys);
  layer.depth = nb::cast<Index>(state[5]);
  layer.scale = nb::cast<double>(state[6]);
  layer.partial = nb::cast<bool>(state[7]);
  read_or_refuse("Layer", "head_weights", state[8], layer.head_weights);
  layer.spread_rest = nb::cast<bool>(state[9]);
  layer.name = nb::cast<std::string>(state[10]);
  layer.column_type = nb::cast<bool>(state[11]) ? Layer::Columns::i64 : Layer::Columns::i32;
  take(state[12], numbers->data);
  take(state[13], numbers->keys);
  read_optional("Layer", "row_starts", state[14], numbers->starts);
  layer.data = numbers->data.data();
  if (layer.kind == LayerKind::queries_keys) layer.key_data = numbers->keys.data();
  if (layer.kind == LayerKind::sparse) {
    layer.columns = numbers->keys.data();
    layer.row_starts = numbers->starts.data();
  }
  layer.owner = std::move(numbers);
}

std::string text_of(const Layer& layer) {
  using diffseg::detail::message;
  return message("<Layer ", layer.name, layer.name.empty() ? "" : ": ", layer.heads, " heads, ",
                 layer.queries.height, " x ", layer.queries.width, " queries, ", layer.keys.height,
                 " x ", layer.keys.width, " keys, ",
                 words<diffseg::ElementType>[static_cast<std::size_t>(layer.type)], ' ',
                 words<LayerKind>[static_cast<std::size_t>(layer.kind)], ">");
}

void add_layer(nb::module_& module) {
  nb::class_<Layer> type(
      module, "Layer",
      "One attention tensor where it lies: [heads, queries, keys] of f16, bf16, f32 or f64, from "
      "numpy, torch, jax or anything with DLPack or the buffer protocol. Nothing is copied, and "
      "the "
      "array is kept alive. One head [queries, keys], a batch of one, [heads, h, w, keys] and "
      "[heads, h, w, h, w] are taken too; heads and rows may lie apart.");
  type.def(
      "__init__", &make_layer, nb::arg("attention").none(), nb::kw_only(),
      nb::arg("grid") = nb::none(), nb::arg("keys") = nb::none(), nb::arg("kind") = "probabilities",
      nb::arg("partial") = false, nb::arg("head_weights") = nb::none(), nb::arg("name") = "",
      nb::sig("def __init__(self, attention: object, *, grid: int | tuple[int, int] | None = "
              "None, keys: int | tuple[int, int] | None = None, kind: "
              "typing.Literal[\"probabilities\", \"scores\"] = \"probabilities\", partial: "
              "bool = False, head_weights: collections.abc.Iterable[float] | None = None, "
              "name: str = \"\") -> None"),
      "grid: of the queries, else square; keys: their grid where it differs ((1, n) for n text "
      "tokens); kind: probabilities, or scores before the soft-max; partial: rows are parts of "
      "longer distributions; head_weights: one per head; name: what messages call it.");
  type.def_static("queries_and_keys", &queries_and_keys, nb::arg("queries").none(),
                  nb::arg("keys").none(), nb::kw_only(), nb::arg("grid") = nb::none(),
                  nb::arg("key_grid") = nb::none(), nb::arg("scale") = 0.0, nb::arg("name") = "",
                  nb::sig("def queries_and_keys(queries: object, keys: object, *, grid: int | "
                          "tuple[int, int] | None = None, key_grid: int | tuple[int, int] | None = "
                          "None, scale: float = 0.0, name: str = \"\") -> Layer"),
                  "Queries and keys [heads, tokens, depth], whose attention is never stored; scale "
                  "0: 1 / sqrt(depth).");
  type.def("over_tokens", &Layer::over_tokens, nb::arg("tokens"),
           "The same numbers as cross-attention: the keys are so many text tokens.");
  type.def_ro("heads", &Layer::heads, "How many heads there are.");
  type.def_ro("name", &Layer::name, "What messages call it.");
  type.def_ro("partial", &Layer::partial, "Rows are parts of longer distributions.");
  type.def_ro("spread_rest", &Layer::spread_rest, "What a sparse row lacks lies on other keys.");
  type.def_prop_ro(
      "head_weights", [](const Layer& layer) { return layer.head_weights; },
      "One per head; empty: alike.");
  type.def_prop_ro(
      "queries", [](const Layer& layer) { return Convert<GridSize>::write(layer.queries); },
      nb::sig("def queries(self, /) -> tuple[int, int]"), "Grid of the queries.");
  type.def_prop_ro(
      "keys", [](const Layer& layer) { return Convert<GridSize>::write(layer.keys); },
      nb::sig("def keys(self, /) -> tuple[int, int]"), "Grid of the keys.");
  type.def_prop_ro(
      "kind", [](const Layer& layer) { return Convert<LayerKind>::write(layer.kind); },
      nb::sig("def kind(self, /) -> str"), "What the numbers are.");
  type.def_prop_ro(
      "dtype", [](const Layer& layer) { return Convert<diffseg::ElementType>::write(layer.type); },
      nb::sig("def dtype(self, /) -> str"), "How the numbers are stored.");
  type.def_prop_ro(
      "address", [](const Layer& layer) { return reinterpret_cast<std::uintptr_t>(layer.data); },
      "Where the first number lies: that of the array.");
  type.def_prop_ro("nbytes", &Layer::bytes, "Bytes that are read.");
  type.def("__repr__", &text_of);
  type.def("__getstate__", &state_of);
  type.def("__setstate__", [](Layer& layer, const nb::tuple& state) { restore(layer, state); });
}

void add_parts(nb::module_& module) {
  module.def("select_heads", &diffseg::select_heads, nb::arg("layer"), nb::arg("first"),
             nb::arg("count"), "Some heads of a layer: a view of the same numbers.");
  module.def("conditional_half", &diffseg::conditional_half, nb::arg("layer"),
             "Of a guidance batch, unconditional half first: the conditional half.");
  module.def(
      "select_tokens",
      [](const Layer& layer, Index first, nb::handle grid) {
        GridSize size;
        read_or_refuse("select_tokens", "grid", grid, size);
        return diffseg::select_tokens(layer, first, size);
      },
      nb::arg("layer"), nb::arg("first"), nb::arg("grid").none(),
      nb::sig("def select_tokens(layer: Layer, first: int, grid: int | tuple[int, int]) -> Layer"),
      "The tokens of `grid` from `first` on, without class, register and text tokens; what remains "
      "of a row is scaled to sum 1.");
  module.def(
      "skip_tokens",
      [](const Layer& layer, Index first, Index last,
         const std::vector<std::pair<Index, Index>>& ranges, nb::handle grid) {
        GridSize size{};
        if (!grid.is_none()) read_or_refuse("skip_tokens", "grid", grid, size);
        diffseg::SkipTokens skip{.first = first, .last = last};
        for (const auto& [begin, end] : ranges) skip.ranges.push_back({begin, end});
        return unlocked([&] { return diffseg::skip_tokens(layer, skip, size); });
      },
      nb::arg("layer"), nb::arg("first") = 0, nb::arg("last") = 0,
      nb::arg("ranges") = std::vector<std::pair<Index, Index>>(), nb::arg("grid") = nb::none(),
      nb::sig("def skip_tokens(layer: Layer, first: int = 0, last: int = 0, ranges: "
              "collections.abc.Sequence[tuple[int, int]] = (), grid: int | tuple[int, int] | None "
              "= None) -> Layer"),
      "All tokens but the first, the last and those of the ranges [begin, end), which must be as "
      "many as `grid` has cells (None: a square); what remains of a row is scaled to sum 1.");
  module.def(
      "leave_out_sinks",
      [](const Layer& layer, double share) {
        return unlocked([&] { return diffseg::leave_out_sinks(layer, share); });
      },
      nb::arg("layer"), nb::arg("share"),
      "The layer without keys that get more than `share` of its attention and more than 8 times an "
      "even share; the mean over heads, where there are such keys.");
  module.def(
      "top_k",
      [](const Layer& layer, Index k) {
        return unlocked([&] { return diffseg::top_k(layer, k); });
      },
      nb::arg("layer"), nb::arg("k"), "The k largest numbers of every row, as a sparse layer.");
  module.def(
      "keep_mass",
      [](const Layer& layer, double share) {
        return unlocked([&] { return diffseg::keep_mass(layer, share); });
      },
      nb::arg("layer"), nb::arg("share"),
      "As many of the largest numbers of every row as sum to `share` of it, as a sparse layer.");
  module.def("_top_k_layer", &top_k_layer, nb::arg("values").none(), nb::arg("keys").none(),
             nb::arg("grid").none(), nb::arg("key_grid").none(), nb::arg("spread_rest"),
             nb::arg("name"));
  module.def("_compressed_layer", &compressed_layer, nb::arg("data"), nb::arg("indices"),
             nb::arg("indptr"), nb::arg("width"), nb::arg("grid").none(), nb::arg("spread_rest"),
             nb::arg("name"));
}

void add_models(nb::module_& module) {
  using diffseg::AttentionShape;
  using diffseg::ModelShapes;
  nb::class_<AttentionShape>(module, "AttentionShape", "Layers of one size within a model.")
      .def_prop_ro(
          "grid", [](const AttentionShape& self) { return Convert<GridSize>::write(self.grid); },
          nb::sig("def grid(self, /) -> tuple[int, int]"), "Of the image's tokens.")
      .def_ro("heads", &AttentionShape::heads, "Of one image.")
      .def_ro("depth", &AttentionShape::depth, "Numbers of a query, per head.")
      .def_ro("layers", &AttentionShape::layers, "How many such layers one pass makes.")
      .def_ro("leading", &AttentionShape::leading, "Tokens before the image's.")
      .def_ro("trailing", &AttentionShape::trailing, "Tokens behind the image's.")
      .def_prop_ro("tokens", &AttentionShape::tokens, "All of one image.");
  nb::class_<ModelShapes>(module, "ModelShapes", "The self-attention of a model.")
      .def_ro("name", &ModelShapes::name, "As model_shapes() was asked.")
      .def_prop_ro(
          "image", [](const ModelShapes& self) { return Convert<GridSize>::write(self.image); },
          nb::sig("def image(self, /) -> tuple[int, int]"), "Pixels.")
      .def_prop_ro(
          "layers", [](const ModelShapes& self) { return self.layers; }, "Finest grid first.");
  module.def(
      "model_shapes", [](const std::string& name) { return diffseg::model_shapes(name); },
      nb::arg("name"),
      "Shapes of sd15, sd21_base, sd21_768, sdxl, sd3, flux or dinov2 at their own image size.");
  using diffseg::ModelPreset;
  nb::class_<ModelPreset>(module, "ModelPreset", "What suits a model's attention.")
      .def_ro("threshold", &ModelPreset::threshold, "Nats; 0: not known.")
      .def_ro("layers", &ModelPreset::layers, "Layers of the model; 0: all are used.")
      .def_ro("first_layer", &ModelPreset::first_layer, "First of those to use.")
      .def_ro("end_layer", &ModelPreset::end_layer, "Behind the last of those to use.");
  module.def(
      "model_preset", [](const std::string& name) { return diffseg::model_preset(name); },
      nb::arg("name"), "The preset of a model named in any way, as sd15 or a hub's id.");
  module.def(
      "model_layer", &diffseg::model_layer, nb::arg("model"), nb::arg("layer"),
      "The layer as the model means it: its grid, the conditional half, the image's tokens.");
}

}  // namespace

void add_layers(nb::module_& module) {
  add_layer(module);
  add_parts(module);
  add_models(module);
}

}  // namespace binding
