// SPDX-License-Identifier: MIT
#include "arrays.hpp"

#include <algorithm>
#include <cstring>

namespace binding {

using diffseg::Layer;
using diffseg::NumberType;
using diffseg::TensorView;
using diffseg::detail::require;

std::string shown(nb::handle object) {
  auto text = nb::cast<std::string>(nb::repr(object));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

std::string in_words(std::string text) {
  const std::pair<const char*, const char*> terms[] = {{"collections.abc.Iterable[", "a list of "},
                                                       {"typing.Literal[", "one of "}};
  for (const auto& [code, words] : terms) {
    if (!text.starts_with(code)) continue;
    text.pop_back();
    return words + in_words(text.substr(std::string_view(code).size()));
  }
  return text == Convert<GridSize>::text() ? "a whole number or (height, width)" : text;
}

namespace {

/// What DLPack calls memory that the CPU reads: its own, and pinned for CUDA or ROCm.
bool on_host(int device) {
  return device == 1 || device == 3 || device == 11;
}

void require_host(int device, nb::handle array, const char* what) {
  require(on_host(device), what, ": the array must be in the memory of the CPU, got one on ",
          nb::cast<std::string>(nb::str(nb::getattr(array, "device", nb::str("a device")))),
          "; copy it there first, as tensor.cpu() does");
}

void check_device(nb::handle array, const char* what) {
  const nb::object ask = nb::getattr(array, "__dlpack_device__", nb::none());
  if (ask.is_none()) return;
  const nb::object told = nb::steal(PyObject_CallNoArgs(ask.ptr()));
  if (!told.is_valid()) PyErr_Clear();  // a device that DLPack has no name for
  int device = 0;
  if (told.is_valid() && !Convert<int>::read(told[0], device)) return;  // the numbers tell, later
  require_host(device, array, what);
}

/// numpy gives nobody ml_dtypes' bfloat16, but its bits.
bool is_numpy_bfloat16(nb::handle array) {
  if (!nb::hasattr(array, "__array_interface__") || !nb::hasattr(array, "dtype")) return false;
  const nb::object name = nb::getattr(array.attr("dtype"), "name", nb::str(""));
  return nb::cast<std::string>(nb::str(name)) == "bfloat16";
}

NumberType number_type(nb::dlpack::dtype type, const char* what) {
  using Code = nb::dlpack::dtype_code;
  const auto code = static_cast<Code>(type.code);
  const bool wide = type.lanes == 1;
  if (wide && code == Code::Float && type.bits == 16) return NumberType::f16;
  if (wide && code == Code::Float && type.bits == 32) return NumberType::f32;
  if (wide && code == Code::Float && type.bits == 64) return NumberType::f64;
  if (wide && code == Code::Bfloat && type.bits == 16) return NumberType::bf16;
  if (wide && code == Code::Bool && type.bits == 8) return NumberType::boolean;
  const bool is_signed = code == Code::Int;
  const bool whole = wide && (is_signed || code == Code::UInt);
  if (whole && type.bits == 8) return is_signed ? NumberType::i8 : NumberType::u8;
  if (whole && type.bits == 16) return is_signed ? NumberType::i16 : NumberType::u16;
  if (whole && type.bits == 32) return is_signed ? NumberType::i32 : NumberType::u32;
  if (whole && type.bits == 64) return is_signed ? NumberType::i64 : NumberType::u64;
  require(false, what, ": the numbers must be real ones of 16, 32 or 64 bits, got ", int{type.bits},
          " bits of DLPack's type ", int{type.code}, "; convert them to float32");
  return NumberType::f32;
}

using AnyArray = nb::ndarray<nb::ro>;

/// Lets the array go, in whichever thread, with the GIL.
struct Release {
  void operator()(const AnyArray* array) const {
    if (!nb::is_alive()) return;  // the interpreter has ended, and all memory with it
    const nb::gil_scoped_acquire acquire;
    delete array;
  }
};

}  // namespace

bool is_array(nb::handle object) {
  return nb::hasattr(object, "__dlpack__") || PyObject_CheckBuffer(object.ptr()) != 0;
}

TensorView tensor_of(nb::handle array, const char* what) {
  check_device(array, what);
  nb::object source = nb::borrow(array);
  if (nb::getattr(array, "requires_grad", nb::none()).is(nb::handle(Py_True)))
    source = source.attr("detach")();
  const bool bfloat16 = is_numpy_bfloat16(source);
  if (bfloat16) source = source.attr("view")("uint16");
  AnyArray read;
  if (!nb::try_cast(source, read, false)) {
    PyErr_Clear();
    require(false, what, ": must be an array of numbers (numpy, torch, jax, anything with DLPack ",
            "or the buffer protocol; dense, in this machine's byte order), got ", shown(array));
  }
  require_host(read.device_type(), array, what);
  TensorView view;
  view.data = read.data();
  view.type = bfloat16 ? NumberType::bf16 : number_type(read.dtype(), what);
  for (std::size_t axis = 0; axis < read.ndim(); ++axis) {
    view.shape.push_back(static_cast<Index>(read.shape(axis)));
    view.strides.push_back(static_cast<Index>(read.stride(axis)));
  }
  view.owner = std::shared_ptr<const AnyArray>(new AnyArray(std::move(read)), Release{});
  return view;
}

Layer layer_of(nb::handle array, const LayerFields& fields) {
  TensorView view = tensor_of(array, "Layer");
  view.name = fields.name;
  if (view.rank() == 2) {
    view.shape.insert(view.shape.begin(), 1);
    view.strides.insert(view.strides.begin(), 0);
  }
  if (view.rank() == 4 && view.shape[0] == 1 && fields.grids.queries == GridSize{})
    view = view.at(0, 0);
  Layer layer = diffseg::layer_from(view, fields.grids);
  layer.kind = fields.kind;
  layer.partial = fields.partial;
  layer.head_weights = fields.head_weights;
  layer.check("Layer");
  return layer;
}

diffseg::Layers layers_of(nb::handle objects, bool cross) {
  diffseg::Layers layers;
  const auto add = [&](nb::handle object) {
    if (nb::isinstance<Layer>(object)) {
      layers.push_back(*nb::inst_ptr<Layer>(object));
      return;
    }
    LayerFields fields;
    if (cross) {
      const TensorView view = tensor_of(object, "Layer");
      if (!view.shape.empty()) fields.grids.keys = {1, view.shape.back()};
    }
    layers.push_back(layer_of(object, fields));
  };
  if (nb::isinstance<Layer>(objects) || is_array(objects)) {
    add(objects);
    return layers;
  }
  const nb::object iterator = nb::steal(PyObject_GetIter(objects.ptr()));
  if (!iterator.is_valid()) {
    PyErr_Clear();
    throw nb::type_error(
        ("layers must be a list of arrays or of Layer, got " + shown(objects)).c_str());
  }
  while (PyObject* const item = PyIter_Next(iterator.ptr())) add(nb::steal(item));
  if (PyErr_Occurred() != nullptr) throw nb::python_error();
  return layers;
}

namespace {

/// Calls each(number) for all of a view of rank <= 3, row by row.
template <class Each>
void for_numbers(const TensorView& view, const Each& each) {
  std::array<Index, 3> shape{1, 1, 1};
  std::array<Index, 3> strides{0, 0, 0};
  std::copy_backward(view.shape.begin(), view.shape.end(), shape.end());
  std::copy_backward(view.strides.begin(), view.strides.end(), strides.end());
  diffseg::detail::visit_number(view.type, [&](auto kind) {
    using Number = decltype(kind);
    const auto* data = static_cast<const std::byte*>(view.data);
    for (Index i = 0; i < shape[0]; ++i) {
      for (Index j = 0; j < shape[1]; ++j) {
        for (Index k = 0; k < shape[2]; ++k) {
          const Index place = i * strides[0] + j * strides[1] + k * strides[2];
          Number number;
          std::memcpy(&number, data + place * static_cast<Index>(sizeof(Number)), sizeof(Number));
          each(number);
        }
      }
    }
  });
}

bool is_real(NumberType type) {
  return type == NumberType::f16 || type == NumberType::bf16 || type == NumberType::f32 ||
         type == NumberType::f64;
}

std::string extents(const TensorView& view) {
  return diffseg::detail::shape_text(view.shape);
}

}  // namespace

diffseg::Image<float> image_of(nb::handle object) {
  if (nb::isinstance<diffseg::Image<float>>(object))
    return *nb::inst_ptr<diffseg::Image<float>>(object);
  const TensorView view = tensor_of(object, "Image");
  require(view.rank() == 2 || view.rank() == 3,
          "Image: the photo must be [height, width] or [height, width, channels], got ",
          extents(view));
  const bool whole = view.type == NumberType::u8 || view.type == NumberType::u16;
  require(whole || is_real(view.type), "Image: the photo must be uint8, uint16 or floating point");
  const float full = view.type == NumberType::u8 ? 255.0F : 65535.0F;
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(diffseg::detail::count_of(view.shape)));
  for_numbers(view, [&](auto number) {
    values.push_back(whole ? static_cast<float>(number) / full : static_cast<float>(number));
  });
  return {{view.shape[0], view.shape[1]}, view.rank() == 3 ? view.shape[2] : 1, std::move(values)};
}

diffseg::Labels labels_of(nb::handle object) {
  if (nb::isinstance<diffseg::Labels>(object)) return *nb::inst_ptr<diffseg::Labels>(object);
  const TensorView view = tensor_of(object, "Labels");
  require(view.rank() == 2 && !is_real(view.type),
          "Labels: the values must be whole numbers [height, width], got ",
          is_real(view.type) ? "floating point numbers " : "", extents(view));
  diffseg::Labels labels;
  labels.size = {view.shape[0], view.shape[1]};
  std::int32_t largest = -1;
  for_numbers(view, [&](auto number) {
    const auto value = static_cast<std::int64_t>(number);
    require(value >= std::numeric_limits<std::int32_t>::min() && value < 1 << 24,
            "Labels: the values must be below 16777216, got ", value);
    labels.values.push_back(static_cast<std::int32_t>(value));
    largest = std::max(largest, labels.values.back());
  });
  for (std::int32_t id = 0; id <= largest; ++id) labels.proposals.push_back(id);
  return labels;
}

diffseg::Matrix<float> matrix_of(nb::handle object, const char* what) {
  const TensorView view = tensor_of(object, what);
  require(view.rank() == 2 && is_real(view.type), what,
          ": the numbers must be floating point [rows, columns], got ", extents(view));
  diffseg::Matrix<float> matrix(view.shape[0], view.shape[1]);
  float* to = matrix.data();
  for_numbers(view, [&](auto number) { *to++ = static_cast<float>(number); });
  return matrix;
}

}  // namespace binding
