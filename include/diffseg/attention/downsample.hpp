// SPDX-License-Identifier: MIT
// Downsample: a photo, layers or maps -> the same on a coarser grid.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "diffseg/attention/layer_parts.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/core/packet.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/data/image.hpp"
#include "diffseg/data/layer.hpp"
#include "diffseg/data/maps.hpp"
#include "diffseg/math/resample.hpp"

namespace diffseg {

/// Reduces the input early; an approximation whose cost falls with the fourth power of the side.
/// A photo -> the mean colour of the area that each new pixel covers. Layers finer than `size` ->
/// queries averaged, keys summed (probability mass is kept); coarser layers pass as they are. Maps
/// likewise. Sides that are smaller than `size` stay. Errors: std::invalid_argument for a size
/// below 1 x 1 and input that contradicts its extents.
struct Downsample {
  GridSize size;  ///< sides to reduce to, >= 1 x 1

  template <class Scalar>
  [[nodiscard]] Image<Scalar> operator()(const Image<Scalar>& image) const {
    Image<Scalar> result;
    (*this)(image, result);
    return result;
  }

  /// Photo [H, W, channels] -> `result` [size, channels].
  template <class Scalar>
  void operator()(const Image<Scalar>& image, Image<Scalar>& result) const {
    check();
    detail::require(
        image.size.height >= 1 && image.size.width >= 1 && image.channels >= 1 &&
            static_cast<Index>(image.values.size()) == image.size.cells() * image.channels,
        "Downsample: the photo must hold height * width * channels numbers, got ",
        image.values.size(), " for ", image.size.height, " x ", image.size.width, " x ",
        image.channels);
    if (&image == &result) return (*this)(Image<Scalar>(image), result);
    const detail::ProfileScope scope("Downsample");
    result.size = reduced(image.size);
    result.channels = image.channels;
    result.values.resize(static_cast<std::size_t>(result.size.cells() * image.channels));
    const detail::AxisResampler<Scalar> rows(image.size.height, result.size.height,
                                             detail::Resampling::mean);
    const detail::AxisResampler<Scalar> columns(image.size.width, result.size.width,
                                                detail::Resampling::mean);
    const Index line = image.size.width * image.channels;
    detail::parallel_for(
        result.size.height, [&] { return detail::Buffer<Scalar>(line); },
        [&](Index y, detail::Buffer<Scalar>& total) {
          detail::combine_rows<Scalar>(image.values.data() + rows.first(y) * line, line,
                                       rows.weights(y), rows.taps(), nullptr, total.data(), line);
          Scalar* out = result.values.data() + y * result.size.width * image.channels;
          for (Index x = 0; x < result.size.width; ++x, out += image.channels) {
            detail::combine_rows<Scalar>(total.data() + columns.first(x) * image.channels,
                                         image.channels, columns.weights(x), columns.taps(),
                                         nullptr, out, image.channels);
          }
          // Rounding must not carry the mean of what is within 0..1 out of it.
          for (Scalar* value = out - result.size.width * image.channels; value != out; ++value) {
            if (*value > Scalar(1) && *value < Scalar(1.00001)) *value = Scalar(1);
          }
        });
  }

  /// Layers [heads, queries, keys] -> layers with both grids reduced, f64 for f64 input, else f32.
  [[nodiscard]] Layers operator()(const Layers& layers) const {
    Layers result;
    (*this)(layers, result);
    return result;
  }

  /// The same into `result`.
  void operator()(const Layers& layers, Layers& result) const {
    check();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      detail::check_layer(layers[i], i, "Downsample");
      detail::require(
          layers[i].kind == LayerKind::probabilities || is_coarse(layers[i]), "Downsample: layer ",
          i, " must hold dense probabilities to be reduced; give its scores, queries and keys or ",
          "sparse rows to Aggregate, whose grid may be any");
    }
    const detail::ProfileScope scope("Downsample");
    Layers reduced_layers;
    for (const Layer& layer : layers) {
      if (is_coarse(layer)) {
        reduced_layers.push_back(layer);
      } else if (layer.type == ElementType::f64) {
        reduced_layers.push_back(reduce<double>(layer));
      } else {
        reduced_layers.push_back(reduce<float>(layer));
      }
    }
    result.swap(reduced_layers);
  }

  template <class Scalar>
  [[nodiscard]] Maps<Scalar> operator()(const Maps<Scalar>& maps) const {
    Maps<Scalar> result;
    (*this)(maps, result);
    return result;
  }

  /// Maps [T x T] -> `result` [T' x T'] on the reduced grid; every row keeps its sum.
  template <class Scalar>
  void operator()(const Maps<Scalar>& maps, Maps<Scalar>& result) const {
    check();
    detail::require(
        !maps.empty() && maps.rows().rows() == maps.tokens() && maps.rows().cols() == maps.tokens(),
        "Downsample: maps must be [T x T] for their grid of ", maps.grid().height, " x ",
        maps.grid().width, " cells");
    const detail::ProfileScope scope("Downsample");
    const Maps<Scalar> source = maps;  // `result` may be the same object
    const GridSize grid = reduced(source.grid());
    reduce_rows(source.rows().data(), source.tokens(), source.grid(), grid, source.grid(), grid,
                result.reset(grid).data());
  }

 private:
  void check() const {
    detail::require(size.height >= 1 && size.width >= 1,
                    "Downsample: size must be at least 1 x 1, got ", size.height, " x ",
                    size.width);
  }
  [[nodiscard]] GridSize reduced(GridSize from) const {
    return {std::min(from.height, size.height), std::min(from.width, size.width)};
  }

  /// There is nothing to reduce.
  [[nodiscard]] bool is_coarse(const Layer& layer) const {
    return reduced(layer.queries) == layer.queries && reduced(layer.keys) == layer.keys;
  }

  template <class Scalar>
  [[nodiscard]] Layer reduce(const Layer& layer) const {
    const GridSize queries = reduced(layer.queries);
    const GridSize keys = reduced(layer.keys);
    const Index to = queries.cells() * keys.cells();
    std::vector<Scalar> values(static_cast<std::size_t>(layer.heads * to));
    detail::visit_elements(layer, [&](const auto* data) {
      for (Index head = 0; head < layer.heads; ++head) {
        reduce_rows(data + head * layer.head_step(), layer.query_step(), layer.queries, queries,
                    layer.keys, keys, values.data() + head * to);
      }
    });
    Layer result = Layer::owning(std::move(values), layer.heads, queries);
    result.keys = keys;
    result.partial = layer.partial;
    result.head_weights = layer.head_weights;
    return result;
  }

  /// out [queries_to x keys_to]: the mean over covered queries, `stride` numbers apart, the sum
  /// over covered keys.
  template <class Element, class Scalar>
  static void reduce_rows(const Element* in, Index stride, GridSize queries_from,
                          GridSize queries_to, GridSize keys_from, GridSize keys_to, Scalar* out) {
    const auto from_queries =
        detail::cached_resampler<Scalar>(queries_from, queries_to, detail::Resampling::mean);
    const auto to_keys =
        detail::cached_resampler<Scalar>(keys_from, keys_to, detail::Resampling::mass);
    const auto& rows = from_queries->vertical();
    const auto& columns = from_queries->horizontal();
    using Row = Eigen::Map<const Eigen::Array<Element, Eigen::Dynamic, 1>>;
    struct Scratch {
      detail::Buffer<Scalar> mean, pool;
    };
    const auto make_scratch = [&] {
      return Scratch{detail::Buffer<Scalar>(keys_from.cells()),
                     detail::Buffer<Scalar>(to_keys->scratch_size())};
    };
    detail::parallel_for(queries_to.cells(), make_scratch, [&](Index query, Scratch& scratch) {
      const Index y = query / queries_to.width;
      const Index x = query % queries_to.width;
      scratch.mean.setZero();
      for (Index i = 0; i < rows.taps(); ++i) {
        for (Index j = 0; j < columns.taps(); ++j) {
          const Scalar weight = rows.weights(y)[i] * columns.weights(x)[j];
          if (weight == Scalar(0)) continue;
          const Index source = (rows.first(y) + i) * queries_from.width + columns.first(x) + j;
          scratch.mean +=
              weight * Row(in + source * stride, keys_from.cells()).template cast<Scalar>();
        }
      }
      to_keys->apply(scratch.mean.data(), nullptr, out + query * keys_to.cells(),
                     scratch.pool.data());
    });
  }
};

}  // namespace diffseg
