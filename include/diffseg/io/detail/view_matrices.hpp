// SPDX-License-Identifier: MIT
// Matrices and arrays of other libraries, known by their members: no header of theirs is included.
#pragma once

#include <diffseg/io/detail/view_members.hpp>

namespace diffseg::detail {

template <class Pointer>
concept NumberPointer = std::is_pointer_v<std::remove_cvref_t<Pointer>>;

template <class Pointer>
constexpr NumberType number_behind() {
  return number_type_of<std::remove_pointer_t<std::remove_cvref_t<Pointer>>>();
}

/// cv::Mat and cv::Mat_.
template <class T>
concept CvMat = requires(const T& x) {
  x.dims;
  x.data;
  x.depth();
  x.channels();
  x.elemSize1();
  x.size[0];
  x.step[0];
};

/// [rows, columns], or the extents of more dimensions; channels, if several, are one more axis.
template <CvMat T>
TensorView members_view(const T& x) {
  using enum NumberType;
  static constexpr NumberCode codes[] = {{0, u8},  {1, i8},  {2, u16}, {3, i16}, {4, i32},
                                         {5, f32}, {6, f64}, {7, f16}, {8, bf16}};
  TensorView view{x.data, number_of_code(codes, x.depth(), "OpenCV"), {}, {}};
  const Index bytes = to_index(x.elemSize1());
  for (int axis = 0; axis < x.dims; ++axis) {
    const Index step = to_index(x.step[axis]);
    require(step % bytes == 0, "view: strides: must be whole numbers, got a step of ", step,
            " bytes for numbers of ", bytes);
    view.shape.push_back(to_index(x.size[axis]));
    view.strides.push_back(step / bytes);
  }
  if (x.channels() > 1) {
    view.shape.push_back(x.channels());
    view.strides.push_back(1);
  }
  return view;
}

/// std::mdspan and what was made after it, with plain access to its numbers.
template <class T>
concept MdSpan = requires(const T& x) {
  x.extents().extent(0);
  x.stride(0);
  { x.data_handle() } -> NumberPointer;
  requires std::is_same_v<typename T::reference, typename T::element_type&>;
};

template <MdSpan T>
TensorView members_view(const T& x) {
  if constexpr (requires { x.is_strided(); }) {
    require(x.is_strided(), "view: strides: the layout of the mdspan must have them");
  }
  TensorView view{x.data_handle(), number_behind<decltype(x.data_handle())>(), {}, {}};
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(T::rank()); ++axis) {
    const auto place = static_cast<decltype(T::rank())>(axis);
    view.shape.push_back(to_index(x.extents().extent(place)));
    view.strides.push_back(to_index(x.stride(place)));
  }
  return view;
}

/// Matrices, maps, blocks and transposes of Eigen: whatever lies in memory.
template <class T>
concept EigenMatrix = requires(const T& x) {
  { x.data() } -> NumberPointer;
  x.rows();
  x.cols();
  x.innerStride();
  x.outerStride();
  static_cast<bool>(T::IsRowMajor);
};

template <EigenMatrix T>
TensorView members_view(const T& x) {
  const Index inner = x.innerStride();
  const Index outer = x.outerStride();
  TensorView view{x.data(), number_behind<decltype(x.data())>(), {x.rows(), x.cols()}, {}};
  if (static_cast<bool>(T::IsRowMajor)) {
    view.strides = {outer, inner};
  } else {
    view.strides = {inner, outer};
  }
  return view;
}

/// Eigen::Tensor and its maps, of either layout.
template <class T>
concept EigenTensor = requires(const T& x) {
  { x.data() } -> NumberPointer;
  x.dimensions()[0];
  x.rank();
  static_cast<int>(T::Layout);
};

template <EigenTensor T>
TensorView members_view(const T& x) {
  TensorView view{x.data(), number_behind<decltype(x.data())>(), {}, {}};
  const auto rank = static_cast<std::size_t>(x.rank());
  for (std::size_t axis = 0; axis < rank; ++axis) {
    view.shape.push_back(to_index(x.dimensions()[axis]));
  }
  if (static_cast<int>(T::Layout) == Eigen::RowMajor) return view;
  const std::vector<Index> backwards(view.shape.rbegin(), view.shape.rend());
  const std::vector<Index> strides = dense_strides(backwards);
  view.strides.assign(strides.rbegin(), strides.rend());
  return view;
}

/// Containers and views of xtensor.
template <class T>
concept XTensor = requires(const T& x) {
  { x.data() } -> NumberPointer;
  { x.shape() } -> std::ranges::input_range;
  { x.strides() } -> std::ranges::input_range;
};

template <XTensor T>
TensorView members_view(const T& x) {
  const auto* data = x.data();
  if constexpr (requires { x.data_offset(); }) data += x.data_offset();
  return {data, number_behind<decltype(x.data())>(), to_indices(x.shape()),
          to_indices(x.strides())};
}

/// Everything that is known by its members.
template <class T>
concept Viewable = requires(const T& x) {
  members_view(x);
};

}  // namespace diffseg::detail
