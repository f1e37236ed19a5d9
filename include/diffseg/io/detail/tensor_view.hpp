// SPDX-License-Identifier: MIT
// A tensor in memory that somebody else holds: where its numbers lie, and parts of it.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <diffseg/io/detail/tensor.hpp>
#include <diffseg/io/detail/tensor_layer.hpp>

namespace diffseg {
namespace detail {

/// Refuses what a view shows: std::invalid_argument, "view: NAME: ...".
struct ViewRefusal {
  static constexpr const char* to_float = "convert it to float32";
  const std::string& name;

  template <class... Parts>
  void require(bool condition, const Parts&... parts) const {
    if (condition) return;
    detail::require(false, "view: ", name, name.empty() ? "" : ": ", parts...);
  }
};

/// The type of a C++ number; those of two bytes, whosoever they are, tell by their largest exponent
/// whether they are half precision or bfloat16.
template <class Number>
constexpr NumberType number_type_of() {
  using T = std::remove_cv_t<Number>;
  if constexpr (std::is_same_v<T, bool>) {
    return NumberType::boolean;
  } else if constexpr (std::is_integral_v<T>) {
    constexpr NumberType with_sign[] = {NumberType::i8, NumberType::i16, NumberType::i32,
                                        NumberType::i64};
    constexpr NumberType without[] = {NumberType::u8, NumberType::u16, NumberType::u32,
                                      NumberType::u64};
    constexpr std::size_t place = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return std::is_signed_v<T> ? with_sign[place] : without[place];
  } else if constexpr (std::is_same_v<T, float>) {
    return NumberType::f32;
  } else if constexpr (std::is_same_v<T, double>) {
    return NumberType::f64;
  } else {
    constexpr int exponent = std::numeric_limits<T>::max_exponent;
    static_assert(sizeof(T) == 2 && (exponent == 16 || exponent == 128),
                  "no known number; say its type with view(pointer, NumberType, shape, strides)");
    return exponent == 16 ? NumberType::f16 : NumberType::bf16;
  }
}

/// [rank] what dense row-major numbers of this shape have.
inline std::vector<Index> dense_strides(const std::vector<Index>& shape) {
  std::vector<Index> strides(shape.size());
  Index step = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = step;
    if (shape[axis] != 0) step = checked_product(step, shape[axis], "view");
  }
  return strides;
}

}  // namespace detail

/// Numbers in memory that somebody else holds, of any type and any strides. A view: they must stay
/// alive, unmoved, as long as it or a layer from it is used, unless `owner` keeps them.
struct TensorView {
  const void* data = nullptr;  ///< the number at [0, 0, ...]
  NumberType type = NumberType::f32;
  std::vector<Index> shape;    ///< extents, >= 0
  std::vector<Index> strides;  ///< numbers from an index to the next, one for each axis; any sign
  std::string name = {};       ///< for messages
  std::shared_ptr<const void> owner = {};  ///< keeps the numbers alive when set

  [[nodiscard]] Index rank() const { return static_cast<Index>(shape.size()); }

  /// The axes in the order `axes`: [tokens, heads, depth] permuted({1, 0, 2}) is [heads, tokens,
  /// depth]. Throws std::invalid_argument unless `axes` names each one once.
  [[nodiscard]] TensorView permuted(const std::vector<Index>& axes) const {
    std::vector<bool> seen(shape.size());
    TensorView result = *this;
    bool fits = axes.size() == shape.size();
    for (std::size_t i = 0; fits && i < axes.size(); ++i) {
      const auto axis = static_cast<std::size_t>(axes[i]);
      fits = axes[i] >= 0 && axes[i] < rank() && !seen[axis];
      if (!fits) break;
      seen[axis] = true;
      result.shape[i] = shape[axis];
      result.strides[i] = strides[axis];
    }
    refusal().require(fits, "axes: must name each of ", rank(), " once, got ",
                      detail::shape_text(axes));
    return result;
  }

  /// Indices begin .. end - 1 of an axis: half of a batch, tokens without the first.
  /// Throws std::invalid_argument when they are none or leave the axis.
  [[nodiscard]] TensorView range(Index axis, Index begin, Index end) const {
    const Index extent = shape[checked(axis)];
    refusal().require(begin >= 0 && begin < end && end <= extent, "range: must lie within 0 .. ",
                      extent, " of axis ", axis, ", got ", begin, " .. ", end);
    TensorView result = *this;
    const auto place = static_cast<std::size_t>(axis);
    result.shape[place] = end - begin;
    const auto step = strides[place] * static_cast<Index>(number_bytes(type));
    if (data != nullptr) result.data = static_cast<const std::byte*>(data) + begin * step;
    return result;
  }

  /// One index of an axis, which is gone then: one image of a batch.
  /// Throws std::invalid_argument when it leaves the axis.
  [[nodiscard]] TensorView at(Index axis, Index index) const {
    const bool countable = index < std::numeric_limits<Index>::max();
    TensorView result = range(axis, index, countable ? index + 1 : index);
    result.shape.erase(result.shape.begin() + axis);
    result.strides.erase(result.strides.begin() + axis);
    return result;
  }

  /// `axis` and the one after it as one: [batch, heads, queries, keys] merged(0) is [heads,
  /// queries, keys]. Throws std::invalid_argument where their numbers do not follow one another.
  [[nodiscard]] TensorView merged(Index axis) const {
    const std::size_t outer = checked(axis);
    const std::size_t inner = checked(axis + 1);
    const bool follow =
        shape[outer] == 1 || shape[inner] == 1 || strides[outer] == shape[inner] * strides[inner];
    refusal().require(follow, "strides: axes ", axis, " and ", axis + 1, " of ",
                      detail::shape_text(shape), " do not follow one another, got ",
                      detail::shape_text(strides), "; make it contiguous");
    TensorView result = *this;
    result.shape[outer] = detail::checked_product(shape[outer], shape[inner], "view");
    if (shape[inner] != 1) result.strides[outer] = strides[inner];
    result.shape.erase(result.shape.begin() + axis + 1);
    result.strides.erase(result.strides.begin() + axis + 1);
    return result;
  }

 private:
  [[nodiscard]] detail::ViewRefusal refusal() const { return {name}; }
  [[nodiscard]] std::size_t checked(Index axis) const {
    refusal().require(axis >= 0 && axis < rank(), "axis: must be one of ", rank(), ", got ", axis);
    return static_cast<std::size_t>(axis);
  }
};

namespace detail {

/// Refuses extents or strides that no memory has; fills dense strides in where none are given.
inline TensorView checked_view(TensorView view) {
  const ViewRefusal refusal{view.name};
  for (const Index extent : view.shape) {
    refusal.require(extent >= 0, "shape: extents must be >= 0, got ", shape_text(view.shape));
  }
  if (view.strides.empty()) view.strides = dense_strides(view.shape);
  refusal.require(view.strides.size() == view.shape.size(), "strides: must be one for each of ",
                  view.shape.size(), " axes, got ", view.strides.size());
  bool some = true;
  Index reach = static_cast<Index>(number_bytes(view.type));
  for (std::size_t axis = 0; axis < view.shape.size(); ++axis) {
    some = some && view.shape[axis] > 0;
    const Index step = view.strides[axis];
    refusal.require(step > std::numeric_limits<Index>::min(), "strides: out of range");
    const Index bytes = checked_product(step < 0 ? -step : step,
                                        static_cast<Index>(number_bytes(view.type)), "view");
    const Index distance = checked_product(bytes, view.shape[axis], "view");
    refusal.require(distance <= std::numeric_limits<Index>::max() - reach,
                    "strides: out of range, got ", shape_text(view.strides));
    reach += distance;
  }
  refusal.require(view.data != nullptr || !some, "data: must not be null for ",
                  shape_text(view.shape));
  return view;
}

}  // namespace detail
}  // namespace diffseg
