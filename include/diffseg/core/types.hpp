// SPDX-License-Identifier: MIT
// The nouns: what flows between the stages.
#pragma once

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace diffseg {

using Index = Eigen::Index;

/// A dense row-major matrix; one map per row.
template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Rows and columns of a grid of cells, tokens or pixels; cell (y, x) has index y * width + x.
struct GridSize {
  Index height = 0;  ///< rows, >= 1 in valid data
  Index width = 0;   ///< columns, >= 1 in valid data

  [[nodiscard]] constexpr Index cells() const { return height * width; }
  friend constexpr bool operator==(const GridSize&, const GridSize&) = default;
};

/// A photo: values [height, width, channels], row-major, sRGB-encoded, 0..1.
template <class Scalar = float>
struct Image {
  GridSize size;               ///< pixels
  Index channels = 0;          ///< 1 (grey) or 3 (red, green, blue)
  std::vector<Scalar> values;  ///< size.cells() * channels numbers
};

/// How the numbers of a Layer are stored.
enum class ElementType { f16, bf16, f32, f64 };

/// One self-attention tensor [heads, queries, keys], row-major: every row is a distribution over
/// keys. A view: `data` must stay alive unless `owner` keeps it.
struct Layer {
  const void* data = nullptr;
  ElementType type = ElementType::f32;
  Index heads = 0;                    ///< >= 1
  GridSize queries;                   ///< grid of the query tokens
  GridSize keys;                      ///< grid of the key tokens
  std::shared_ptr<const void> owner;  ///< keeps `data` alive when set

  /// View of `heads * grid.cells() * grid.cells()` numbers, queries and keys on one grid.
  static Layer view(const float* data, Index heads, GridSize grid) {
    return {data, ElementType::f32, heads, grid, grid, nullptr};
  }
  static Layer view(const double* data, Index heads, GridSize grid) {
    return {data, ElementType::f64, heads, grid, grid, nullptr};
  }
  static Layer view(const Eigen::half* data, Index heads, GridSize grid) {
    return {data, ElementType::f16, heads, grid, grid, nullptr};
  }
  static Layer view(const Eigen::bfloat16* data, Index heads, GridSize grid) {
    return {data, ElementType::bf16, heads, grid, grid, nullptr};
  }
  /// A layer that keeps its numbers.
  template <class Element>
  static Layer owning(std::vector<Element> values, Index heads, GridSize grid) {
    auto kept = std::make_shared<const std::vector<Element>>(std::move(values));
    Layer layer = view(kept->data(), heads, grid);
    layer.owner = std::move(kept);
    return layer;
  }
  /// The same numbers as cross-attention [heads, queries, tokens]: a view of `heads * grid.cells()
  /// * tokens` numbers; the text's tokens are the keys, in a grid of one row.
  [[nodiscard]] Layer over_tokens(Index tokens) const {
    Layer layer = *this;
    layer.keys = {1, tokens};
    return layer;
  }
};

using Layers = std::vector<Layer>;

/// One probability map for each of the T cells of the grid: rows [T x T], every number >= a
/// positive floor, every row sums to 1. A handle: copies share the numbers, which never change
/// while shared.
template <class Scalar = float>
class Maps {
 public:
  Maps() = default;
  /// Takes `rows` [grid.cells() x grid.cells()] over.
  Maps(GridSize grid, Matrix<Scalar> rows)
      : grid_(grid), rows_(std::make_shared<Matrix<Scalar>>(std::move(rows))) {}

  [[nodiscard]] GridSize grid() const { return grid_; }
  [[nodiscard]] Index tokens() const { return grid_.cells(); }
  [[nodiscard]] bool empty() const { return rows_ == nullptr; }
  /// [T x T]. Requires !empty().
  [[nodiscard]] const Matrix<Scalar>& rows() const { return *rows_; }

  /// Becomes [T x T] on `grid` with unspecified numbers and hands them out for writing; keeps the
  /// storage when the size is the same and no copy of this handle is alive.
  Matrix<Scalar>& reset(GridSize grid) {
    if (rows_ == nullptr || rows_.use_count() > 1) rows_ = std::make_shared<Matrix<Scalar>>();
    grid_ = grid;
    rows_->resize(grid.cells(), grid.cells());
    return *rows_;
  }

 private:
  GridSize grid_;
  std::shared_ptr<Matrix<Scalar>> rows_;
};

/// Sparse divergences of M anchors against all T maps: the pairs below a ceiling, nothing else.
template <class Scalar = float>
struct Similarities {
  Maps<Scalar> maps;           ///< what was compared
  std::vector<Index> anchors;  ///< [M] token index of each anchor, row-major over the anchor grid
  double ceiling = 0;          ///< nats; every pair with a divergence below it is stored
  Eigen::SparseMatrix<Scalar, Eigen::RowMajor, int> divergences;  ///< [M x T], nats
  Index evaluated = 0;  ///< pairs that needed a full divergence; the others a bound rejected
};

/// K maps, each the mean of maps that belong together.
template <class Scalar = float>
struct Proposals {
  Maps<Scalar> maps;                        ///< what was merged
  Matrix<Scalar> rows;                      ///< [K x T], positive, every row sums to 1
  std::vector<std::vector<Index>> anchors;  ///< [K] ascending indices into Similarities::anchors
  std::vector<Index> row_counts;            ///< [K] maps averaged, counted as often as they entered
  std::vector<Index> per_iteration;         ///< number of proposals after each iteration
};

/// Cross-attention by pixel: how much of it each of some text tokens gets.
template <class Scalar = float>
struct CrossMaps {
  GridSize size;              ///< pixels
  std::vector<Index> tokens;  ///< [C] token column behind each row of `values`, ascending
  Matrix<Scalar> values;      ///< [C x size.cells()], >= 0
};

/// One label per pixel.
struct Labels {
  GridSize size;                        ///< pixels
  std::vector<std::int32_t> values;     ///< [height, width], row-major; indices into `proposals`
  std::vector<std::int32_t> proposals;  ///< [label] index of the proposal behind each label

  [[nodiscard]] Index count() const { return static_cast<Index>(proposals.size()); }
};

}  // namespace diffseg
