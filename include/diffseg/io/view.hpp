// SPDX-License-Identifier: MIT
// Attention where it lies: views of other libraries' memory, and layers from them, without a copy.
#pragma once

#include <diffseg/io/detail/view_matrices.hpp>

namespace diffseg {

/// Numbers of `type` at `data`, the extents `shape`; `strides` in numbers, none: dense, row-major.
/// Throws std::invalid_argument for a null pointer, negative extents or strides of another rank.
[[nodiscard]] inline TensorView view(const void* data, NumberType type, std::vector<Index> shape,
                                     std::vector<Index> strides = {},
                                     std::shared_ptr<const void> owner = nullptr) {
  return detail::checked_view(
      {data, type, std::move(shape), std::move(strides), "", std::move(owner)});
}

/// The same with the type of the pointer: any integer, float, double, or number of two bytes that
/// std::numeric_limits knows (Eigen::half, Eigen::bfloat16 and those of other libraries).
template <class Number>
requires(!std::is_void_v<Number>) [[nodiscard]] TensorView
    view(const Number* data, std::vector<Index> shape, std::vector<Index> strides = {},
         std::shared_ptr<const void> owner = nullptr) {
  return view(data, detail::number_type_of<Number>(), std::move(shape), std::move(strides),
              std::move(owner));
}

namespace detail {

/// Refuses a view of more than `count` numbers, and one that leaves them backwards.
inline void check_within(const TensorView& view, std::size_t count) {
  Index needed = 1;
  for (std::size_t axis = 0; axis < view.shape.size(); ++axis) {
    require(view.strides[axis] >= 0, "view: strides: must be >= 0 within a span, got ",
            shape_text(view.strides));
    if (view.shape[axis] == 0) return;
    needed += (view.shape[axis] - 1) * view.strides[axis];
  }
  require(std::cmp_less_equal(needed, count), "view: shape: ", shape_text(view.shape),
          " with strides ", shape_text(view.strides), " needs ", needed, " numbers, got ", count);
}

}  // namespace detail

/// The same for a span or a vector, which must hold every number of the view. An rvalue that owns
/// its numbers is moved into the view's owner; of everything else only the numbers are seen.
template <std::ranges::contiguous_range Numbers>
[[nodiscard]] TensorView view(Numbers&& numbers, std::vector<Index> shape,
                              std::vector<Index> strides = {},
                              std::shared_ptr<const void> owner = nullptr) {
  if constexpr (std::ranges::borrowed_range<Numbers>) {
    const auto* data = std::ranges::data(numbers);
    TensorView result = view(data, std::move(shape), std::move(strides), std::move(owner));
    detail::check_within(result, std::ranges::size(numbers));
    return result;
  } else {
    using Kept = std::pair<const std::remove_cvref_t<Numbers>, std::shared_ptr<const void>>;
    auto kept = std::make_shared<Kept>(std::forward<Numbers>(numbers), std::move(owner));
    return view(kept->first, std::move(shape), std::move(strides),
                std::shared_ptr<const void>(kept));
  }
}

/// `x` of another library, of any number type and strides: cv::Mat (also a region of one; several
/// channels are a last axis), at::Tensor, DLTensor, DLManagedTensor, DLManagedTensorVersioned,
/// Ort::Value, std::mdspan, xtensor's containers and views, Eigen's matrices, maps, blocks and
/// tensors. They are known by their members; any type that has the same ones will do.
///
/// Of an lvalue only the numbers are seen: it, or `owner`, must keep them alive and in place. An
/// rvalue is moved into the view's owner, so view(net.forward(x)) keeps what it shows; that of a
/// reference or map still depends on what it points to. Whoever was handed a DLManagedTensor*
/// passes it twice: `std::shared_ptr<DLManagedTensor> kept(it, it->deleter); view(*kept, kept)`.
/// Throws std::invalid_argument for memory of a device, for types that NumberType does not name,
/// and for what has no strides.
template <class T>
requires detail::Viewable<std::remove_cvref_t<T>>
[[nodiscard]] TensorView view(T&& x, std::shared_ptr<const void> owner = nullptr) {
  if constexpr (std::is_lvalue_reference_v<T>) {
    TensorView result = detail::checked_view(detail::members_view(x));
    result.owner = std::move(owner);
    return result;
  } else {
    using Kept = std::pair<const std::remove_cvref_t<T>, std::shared_ptr<const void>>;
    auto kept = std::make_shared<Kept>(std::forward<T>(x), std::move(owner));
    return view(kept->first, std::shared_ptr<const void>(kept));
  }
}

/// A tensor of a file.
[[nodiscard]] inline TensorView view(const Tensor& tensor) {
  TensorView result{tensor.bytes.data(), tensor.type, tensor.shape, {}, tensor.name, tensor.owner};
  return detail::checked_view(std::move(result));
}

namespace detail {

/// Numbers between neighbours of an axis as Layer holds them: 0 where there is one index only.
inline Index layer_stride(const TensorView& view, std::size_t axis) {
  if (view.shape[axis] == 1) return 0;
  const Index stride = view.strides[axis];
  ViewRefusal{view.name}.require(stride > 0, "strides: must be > 0 (0: broadcast, < 0: flipped), ",
                                 "got ", shape_text(view.strides), "; make it contiguous");
  return stride;
}

/// Refuses numbers that Layer cannot read where they lie: [heads, rows, columns].
inline void check_rows(const TensorView& view) {
  const ViewRefusal refusal{view.name};
  refusal.require(view.shape[2] == 1 || view.strides[2] == 1,
                  "strides: numbers of a row must be neighbours (last stride 1), got ",
                  shape_text(view.strides), "; make it contiguous");
}

/// One owner of both; null where there is nothing to own.
inline std::shared_ptr<const void> both_owners(const std::shared_ptr<const void>& one,
                                               const std::shared_ptr<const void>& other) {
  if (one == nullptr || one == other) return other;
  if (other == nullptr) return one;
  return std::make_shared<
      const std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>>(one, other);
}

}  // namespace detail

/// `tensor` as one layer where it lies: [heads, queries, keys], [heads, h, w, keys] or [heads, h,
/// w, key h, key w] of f16, bf16, f32 or f64, a head mean [n, n] or a batch of one [1, heads, n,
/// n]; any other batch goes into the heads first, by merged(0), or is chosen from by at(0, i) or
/// range(0, i, j). Tokens that are no cells are skipped as skip_tokens does. Heads and queries may
/// lie apart, the numbers of a row are neighbours. The layer shares `tensor.owner` and keeps
/// nothing else alive. Throws std::invalid_argument "view: ..." when shape, type, strides or grids
/// are none of these.
[[nodiscard]] inline Layer layer_from(const TensorView& tensor, const LayerGrids& grids = {}) {
  TensorView rows = detail::checked_view(tensor);
  const detail::ViewRefusal refusal{rows.name};
  if (detail::is_batch_of_one(rows.shape, grids)) rows = rows.at(0, 0);
  if (rows.rank() == 2 && rows.shape[0] == rows.shape[1]) {
    rows.shape.insert(rows.shape.begin(), 1);
    rows.strides.insert(rows.strides.begin(), 0);
  }
  detail::check_attention_shape(rows.shape, refusal);
  Layer layer = detail::layer_of_shape(rows.shape, rows.type,
                                       detail::sequence_grids(rows.shape, grids, refusal), refusal);
  if (rows.rank() == 5) rows = rows.merged(3);
  if (rows.rank() == 4) rows = rows.merged(1);
  detail::check_rows(rows);
  layer.data = rows.data;
  layer.owner = rows.owner;
  layer.name = rows.name;
  layer.head_stride = detail::layer_stride(rows, 0);
  layer.row_stride = detail::layer_stride(rows, 1);
  return detail::without_skipped(std::move(layer), grids, refusal);
}

/// Queries [heads, tokens, depth] and keys [heads, key tokens, depth] of one type as a layer of
/// kind queries_keys, whose attention is never stored; from [tokens, heads, depth] by
/// permuted({1, 0, 2}). Scale > 0; 0: 1 / sqrt(depth).
/// Throws std::invalid_argument "view: ..." when shapes, types, strides, grids or scale do not fit.
[[nodiscard]] inline Layer queries_keys_from(const TensorView& queries, const TensorView& keys,
                                             const LayerGrids& grids = {}, double scale = 0) {
  const TensorView q = detail::checked_view(queries);
  const TensorView k = detail::checked_view(keys);
  const detail::ViewRefusal refusal{q.name};
  const auto usable = [](const TensorView& view) {
    return view.rank() == 3 && *std::min_element(view.shape.begin(), view.shape.end()) > 0;
  };
  refusal.require(usable(q) && usable(k) && q.shape[0] == k.shape[0] && q.shape[2] == k.shape[2],
                  "shape: queries and keys must be [heads, tokens, depth] with as many heads and ",
                  "the same depth, got ", detail::shape_text(q.shape), " and ",
                  detail::shape_text(k.shape));
  refusal.require(q.type == k.type, "type: queries and keys must be of one, got numbers of ",
                  number_bytes(q.type), " and ", number_bytes(k.type), " bytes");
  refusal.require(detail::is_finite(scale) && scale >= 0,
                  "scale: must be > 0, or 0 for 1 / sqrt(depth), ", "got ", scale);
  detail::check_rows(q);
  detail::check_rows(k);
  const std::vector<Index> shape = {q.shape[0], q.shape[1], k.shape[1]};
  Layer layer =
      detail::layer_of_shape(shape, q.type, detail::sequence_grids(shape, grids, refusal), refusal);
  layer.kind = LayerKind::queries_keys;
  layer.name = q.name;
  layer.data = q.data;
  layer.key_data = k.data;
  layer.depth = q.shape[2];
  layer.scale = scale;
  layer.owner = detail::both_owners(q.owner, k.owner);
  layer.head_stride = detail::layer_stride(q, 0);
  layer.row_stride = detail::layer_stride(q, 1);
  layer.key_head_stride = detail::layer_stride(k, 0);
  layer.key_row_stride = detail::layer_stride(k, 1);
  return detail::without_skipped(std::move(layer), grids, refusal);
}

namespace detail {

/// Refuses entries [heads, queries, count] with gaps between them.
inline void check_entries(const TensorView& view) {
  const TensorView flat = view.merged(0).merged(0);
  ViewRefusal{view.name}.require(flat.shape[0] == 1 || flat.strides[0] == 1,
                                 "strides: entries must be dense, got ", shape_text(view.strides),
                                 "; make it contiguous");
  check_rows(view);
}

/// Dense numbers at an address that suits them: where they lie, or a copy that the view then owns.
inline TensorView aligned_entries(TensorView view) {
  const std::size_t number = number_bytes(view.type);
  if (reinterpret_cast<std::uintptr_t>(view.data) % number == 0) return view;
  const auto size = static_cast<std::size_t>(count_of(view.shape, "view")) * number;
  auto copy = std::make_shared<std::vector<std::byte>>(size);
  std::memcpy(copy->data(), view.data, size);
  view.data = copy->data();
  view.owner = std::move(copy);
  return view;
}

}  // namespace detail

/// The largest numbers of every row, [heads, queries, count], and their keys, int32 or int64 of the
/// same shape in any order (torch.topk returns both), where they lie (keys that are not aligned: a
/// copy), as a sparse layer; its `spread_rest` says what the other keys get. There are as many keys
/// as queries unless `grids` says otherwise. Throws std::invalid_argument "view: ..." when shapes,
/// types, strides or grids do not fit.
[[nodiscard]] inline Layer top_k_from(const TensorView& values, const TensorView& keys,
                                      const LayerGrids& grids = {}) {
  const TensorView numbers = detail::checked_view(values);
  TensorView columns = detail::checked_view(keys);
  const detail::ViewRefusal refusal{numbers.name};
  refusal.require(numbers.rank() == 3 && numbers.shape == columns.shape &&
                      *std::min_element(numbers.shape.begin(), numbers.shape.end()) > 0,
                  "shape: numbers and keys must be [heads, queries, count], got ",
                  detail::shape_text(numbers.shape), " and ", detail::shape_text(columns.shape));
  const bool wide = columns.type == NumberType::i64;
  refusal.require(wide || columns.type == NumberType::i32, "type: keys must be int32 or int64");
  refusal.require(grids.skip.empty(), "skip: tokens of a sparse layer are left out by skip_tokens");
  detail::check_entries(numbers);
  detail::check_entries(columns);
  columns = detail::aligned_entries(std::move(columns));
  const Index tokens =
      grids.keys == GridSize{} ? numbers.shape[1] : detail::given_cells(grids.keys);
  refusal.require(tokens >= 1, "shape: the grid of the keys must be at least 1 x 1, its cells ",
                  "countable, got ", grids.keys.height, " x ", grids.keys.width);
  Layer layer = detail::layer_of_shape({numbers.shape[0], numbers.shape[1], tokens}, numbers.type,
                                       grids, refusal);
  const auto starts = detail::even_starts(numbers.shape[2], layer.heads, layer.queries);
  layer.kind = LayerKind::sparse;
  layer.name = numbers.name;
  layer.data = numbers.data;
  layer.columns = columns.data;
  layer.column_type = wide ? Layer::Columns::i64 : Layer::Columns::i32;
  layer.row_starts = starts->data();
  layer.owner = detail::both_owners(starts, detail::both_owners(numbers.owner, columns.owner));
  return layer;
}

}  // namespace diffseg
