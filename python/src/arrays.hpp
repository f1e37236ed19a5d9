// SPDX-License-Identifier: MIT
// Arrays of Python where they lie: in (DLPack, buffer protocol) and out (numpy views).
#pragma once

#include <nanobind/ndarray.h>

#include <diffseg/io/view.hpp>
#include <initializer_list>

#include "convert.hpp"

namespace binding {

/// Any array on the CPU, nothing copied; the view keeps it alive. A torch tensor is taken detached,
/// ml_dtypes' bfloat16 by its bits. ValueError for memory of a device, complex numbers, and what is
/// no array; `what` opens the message.
diffseg::TensorView tensor_of(nb::handle array, const char* what);

/// It is an array or a tensor, not a list of them.
bool is_array(nb::handle object);

/// What a layer is made of besides its numbers.
struct LayerFields {
  diffseg::LayerGrids grids;
  diffseg::LayerKind kind = diffseg::LayerKind::probabilities;
  bool partial = false;
  std::vector<double> head_weights;
  std::string name;
};

/// [heads, queries, keys], one head [queries, keys], a batch of one, or tokens drawn as grids.
diffseg::Layer layer_of(nb::handle array, const LayerFields& fields);

/// Layers and arrays, as they come; one alone is a list of one. `cross`: keys are text.
diffseg::Layers layers_of(nb::handle objects, bool cross = false);

/// A photo [height, width] or [height, width, 1 or 3], whole numbers scaled to 0..1; or an Image.
diffseg::Image<float> image_of(nb::handle object);

/// Labels, or [height, width] of whole numbers, which are then their own proposals.
diffseg::Labels labels_of(nb::handle object);

/// [rows x columns] numbers of any floating point type as float; `what` opens the message.
diffseg::Matrix<float> matrix_of(nb::handle object, const char* what);

/// Whole numbers [n].
template <class Number>
std::vector<Number> numbers_of(nb::handle object, const char* what) {
  std::vector<Number> numbers;
  read_or_refuse(what, "the list", object, numbers);
  return numbers;
}

/// What numpy shows of numbers that `owner` keeps; nobody may write there.
template <class Number, int Rank>
using View = nb::ndarray<nb::numpy, const Number, nb::ndim<Rank>, nb::c_contig>;

template <int Rank, class Number>
View<Number, Rank> view_of(const Number* data, std::initializer_list<Index> shape,
                           nb::handle owner) {
  std::array<std::size_t, Rank> extents{};
  std::copy(shape.begin(), shape.end(), extents.begin());
  static const Number none{};  // numpy takes no null
  return View<Number, Rank>(data == nullptr ? &none : data, Rank, extents.data(), owner);
}

}  // namespace binding
