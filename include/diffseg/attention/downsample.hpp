// SPDX-License-Identifier: MIT
// Downsample: layers or maps -> the same on a coarser grid.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "diffseg/attention/detail/numbers.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/workspace.hpp"
#include "diffseg/data/layer.hpp"
#include "diffseg/data/maps.hpp"
#include "diffseg/math/resample.hpp"

namespace diffseg {

/// Reduces the input early; an approximation whose cost falls with the fourth power of the side.
/// Layers finer than `size` -> queries averaged, keys summed (probability mass is kept); coarser
/// layers pass as they are. Maps likewise. Sides that are smaller than `size` stay. Errors:
/// std::invalid_argument for a size below 1 x 1, layers that contradict themselves, finer ones that
/// are no dense probabilities.
struct Downsample {
  using Stage = void;  ///< it may begin or follow a chain

  GridSize size;  ///< sides to reduce to, >= 1 x 1

  /// Layers [heads, queries, keys] -> layers with both grids reduced, f64 for f64 input, else of
  /// Scalar.
  template <class Scalar = float>
  [[nodiscard]] Layers operator()(const Layers& layers) const {
    Layers result;
    operator()<Scalar>(layers, result);
    return result;
  }

  /// The same into `result`, which stays as it was after an exception.
  template <class Scalar = float>
  void operator()(const Layers& layers, Layers& result) const {
    Workspace workspace;
    operator()<Scalar>(layers, result, workspace);
  }

  /// The same with what an earlier call has left in `workspace`.
  template <class Scalar = float>
  void operator()(const Layers& layers, Layers& result, Workspace& workspace) const;

  /// Maps on the coarser grid.
  template <class Scalar>
  [[nodiscard]] Maps<Scalar> operator()(const Maps<Scalar>& maps) const {
    Maps<Scalar> result;
    (*this)(maps, result);
    return result;
  }

  /// Maps [T x T] -> `result` [T' x T'] on the reduced grid; every row keeps its sum. `result` may
  /// be `maps`. After an exception it is empty.
  template <class Scalar>
  void operator()(const Maps<Scalar>& maps, Maps<Scalar>& result) const {
    Workspace workspace;
    (*this)(maps, result, workspace);
  }

  /// The same with what an earlier call has left in `workspace`.
  template <class Scalar>
  void operator()(const Maps<Scalar>& maps, Maps<Scalar>& result, Workspace& workspace) const;

 private:
  /// Rows of numbers, `stride` apart from `offset` on.
  struct Rows {
    ElementType type;
    const void* data;
    Index offset, stride;
  };
  /// A grid and what becomes of it.
  struct Reduction {
    GridSize from, to;
  };
  /// What one thread needs.
  template <class Scalar>
  struct Scratch {
    detail::Buffer<Scalar> mean, row, pool;
  };

  void check() const {
    detail::require(size.height >= 1 && size.width >= 1,
                    "Downsample: size must be at least 1 x 1, got ", size.height, " x ",
                    size.width);
  }
  void check(const Layer& layer, Index index) const {
    layer.check("Downsample", index);
    detail::require(layer.kind == LayerKind::probabilities || is_coarse(layer),
                    "Downsample: ", detail::LayerPlace{layer.name, index},
                    " must hold dense probabilities to be reduced; give its scores, queries and ",
                    "keys or sparse rows to Aggregate, whose grid may be any");
  }
  [[nodiscard]] GridSize reduced(GridSize from) const {
    return {std::min(from.height, size.height), std::min(from.width, size.width)};
  }

  /// There is nothing to reduce.
  [[nodiscard]] bool is_coarse(const Layer& layer) const {
    return reduced(layer.queries) == layer.queries && reduced(layer.keys) == layer.keys;
  }

  template <class Scalar>
  [[nodiscard]] Layer reduce(const Layer& layer, Workspace& workspace) const {
    const Reduction queries{layer.queries, reduced(layer.queries)};
    const Reduction keys{layer.keys, reduced(layer.keys)};
    const Index to = queries.to.cells() * keys.to.cells();
    auto values = std::make_shared<std::vector<Scalar>>(static_cast<std::size_t>(layer.heads * to));
    for (Index head = 0; head < layer.heads; ++head) {
      const Rows rows{layer.type, layer.data, head * layer.head_step(), layer.query_step()};
      reduce_rows(rows, queries, keys, values->data() + head * to, workspace);
    }
    Layer result{values->data(), detail::element_type_of<Scalar>(),
                 layer.heads,    queries.to,
                 keys.to,        std::move(values)};
    result.partial = layer.partial;
    result.head_weights = layer.head_weights;
    result.name = layer.name;
    return result;
  }

  /// out [queries.to x keys.to]: the mean over covered queries, the sum over covered keys.
  template <class Scalar>
  static void reduce_rows(const Rows& in, const Reduction& queries, const Reduction& keys,
                          Scalar* out, Workspace& workspace) {
    using detail::Resampling;
    const auto from_queries =
        detail::cached_resampler<Scalar>(queries.from, queries.to, Resampling::mean);
    const auto to_keys = detail::cached_resampler<Scalar>(keys.from, keys.to, Resampling::mass);
    const auto& rows = from_queries->vertical();
    const auto& columns = from_queries->horizontal();
    const Index width = keys.from.cells();
    const auto reduce_row = [&](Index query, Scratch<Scalar>& scratch) {
      const Index y = query / queries.to.width;
      const Index x = query % queries.to.width;
      auto mean = scratch.mean.head(width);
      mean.setZero();
      for (Index i = 0; i < rows.taps(); ++i) {
        for (Index j = 0; j < columns.taps(); ++j) {
          const Scalar weight = rows.weights(y)[i] * columns.weights(x)[j];
          if (weight == Scalar(0)) continue;
          const Index source = (rows.first(y) + i) * queries.from.width + columns.first(x) + j;
          const Scalar* row = detail::as_numbers(in.type, in.data, in.offset + source * in.stride,
                                                 width, scratch.row.data());
          mean += weight * Eigen::Map<const detail::Buffer<Scalar>>(row, width);
        }
      }
      to_keys->apply(mean.data(), nullptr, out + query * keys.to.cells(), scratch.pool.data());
    };
    detail::parallel_for(
        queries.to.cells(), workspace.get<std::vector<Scratch<Scalar>>>(),
        [&](Scratch<Scalar>& scratch) {
          detail::make_room(scratch.mean, width);
          detail::make_room(scratch.row, width);
          detail::make_room(scratch.pool, to_keys->scratch_size());
        },
        reduce_row);
  }
};

template <class Scalar>
void Downsample::operator()(const Layers& layers, Layers& result, Workspace& workspace) const {
  check();
  for (std::size_t i = 0; i < layers.size(); ++i) check(layers[i], static_cast<Index>(i));
  const detail::ProfileScope scope("Downsample");
  Layers reduced_layers;
  for (const Layer& layer : layers) {
    if (is_coarse(layer)) {
      reduced_layers.push_back(layer);
    } else if (layer.type == ElementType::f64) {
      reduced_layers.push_back(reduce<double>(layer, workspace));
    } else {
      reduced_layers.push_back(reduce<Scalar>(layer, workspace));
    }
  }
  result.swap(reduced_layers);
}

template <class Scalar>
void Downsample::operator()(const Maps<Scalar>& maps, Maps<Scalar>& result,
                            Workspace& workspace) const {
  const Maps<Scalar> source = maps;  // `result` may be the same object
  Maps<Scalar> reduced_maps = std::exchange(result, {});
  check();
  source.check("Downsample");
  const detail::ProfileScope scope("Downsample");
  const GridSize grid = reduced(source.grid());
  const Rows rows{detail::element_type_of<Scalar>(), source.rows().data(), 0, source.tokens()};
  reduce_rows(rows, {source.grid(), grid}, {source.grid(), grid}, reduced_maps.reset(grid).data(),
              workspace);
  result = std::move(reduced_maps);
}

}  // namespace diffseg
