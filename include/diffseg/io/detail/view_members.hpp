// SPDX-License-Identifier: MIT
// Tensors of other libraries, known by their members: no header of theirs is included. What a code
// means stands in each library's ABI and does not change.
#pragma once

#include <algorithm>
#include <concepts>
#include <iterator>
#include <ranges>

#include <diffseg/io/detail/tensor_view.hpp>

namespace diffseg::detail {

/// What a library's number of a type means.
struct NumberCode {
  int code;
  NumberType type;
};

inline NumberType number_of_code(std::span<const NumberCode> codes, int code, const char* library) {
  for (const NumberCode& known : codes) {
    if (known.code == code) return known.type;
  }
  throw std::invalid_argument(
      message("view: type: ", library, " type ", code, " is not read; convert it to float32"));
}

template <class... Parts>
void require_cpu(bool cpu, const Parts&... device) {
  require(cpu, "view: memory: must be the CPU's, got ", device..., "; copy the tensor to it first");
}

inline Index to_index(auto value) {
  require(std::in_range<Index>(value), "view: shape: extents and strides must fit 64 bits, got ",
          +value);
  return static_cast<Index>(value);
}

inline std::vector<Index> to_indices(const auto& values) {
  std::vector<Index> result;
  for (const auto value : values) result.push_back(to_index(value));
  return result;
}

/// at::Tensor.
template <class T>
concept TorchTensor = requires(const T& x) {
  x.sizes().begin();
  x.strides().begin();
  x.data_ptr();
  static_cast<int>(x.scalar_type());
  { x.is_cpu() } -> std::convertible_to<bool>;
};

inline NumberType torch_number(int code) {
  using enum NumberType;
  static constexpr NumberCode codes[] = {{0, u8},  {1, i8},  {2, i16}, {3, i32},      {4, i64},
                                         {5, f16}, {6, f32}, {7, f64}, {11, boolean}, {15, bf16}};
  return number_of_code(codes, code, "torch");
}

template <TorchTensor T>
TensorView members_view(const T& x) {
  if constexpr (requires { x.defined(); }) {
    require(x.defined(), "view: data: the tensor must be defined");
  }
  if constexpr (requires { x.device().str(); }) {
    require_cpu(x.is_cpu(), x.device().str());
  } else {
    require_cpu(x.is_cpu(), "another device's");
  }
  if constexpr (requires { static_cast<int>(x.layout()); }) {
    require(static_cast<int>(x.layout()) == 0, "view: layout: must be strided, got layout ",
            static_cast<int>(x.layout()), "; call to_dense()");
  }
  if constexpr (requires { x.is_neg(); }) {
    require(!x.is_neg(), "view: layout: must not be a negated view; call resolve_neg()");
  }
  const void* data = nullptr;
  if constexpr (requires { x.const_data_ptr(); }) {
    data = x.const_data_ptr();
  } else {
    data = x.data_ptr();
  }
  const NumberType type = torch_number(static_cast<int>(x.scalar_type()));
  return {data, type, to_indices(x.sizes()), to_indices(x.strides())};
}

/// Ort::Value.
template <class T>
concept OnnxValue = requires(const T& x) {
  x.GetTensorTypeAndShapeInfo().GetShape();
  x.GetTensorTypeAndShapeInfo().GetElementType();
  x.GetTensorMemoryInfo();
};

inline NumberType onnx_number(int code) {
  using enum NumberType;
  static constexpr NumberCode codes[] = {{1, f32},  {2, u8},   {3, i8},      {4, u16},  {5, i16},
                                         {6, i32},  {7, i64},  {9, boolean}, {10, f16}, {11, f64},
                                         {12, u32}, {13, u64}, {16, bf16}};
  return number_of_code(codes, code, "ONNX");
}

template <OnnxValue T>
TensorView members_view(const T& x) {
  if constexpr (requires { x.IsTensor(); }) {
    require(x.IsTensor(), "view: data: the ONNX value must be a tensor");
  }
  if constexpr (requires { x.GetTensorMemoryInfo().GetDeviceType(); }) {
    const auto device = static_cast<int>(x.GetTensorMemoryInfo().GetDeviceType());
    require_cpu(device == 0, "ONNX device type ", device);
  } else {
    const std::string device = x.GetTensorMemoryInfo().GetAllocatorName();
    require_cpu(device == "Cpu", device);
  }
  const auto info = x.GetTensorTypeAndShapeInfo();
  TensorView view{nullptr,
                  onnx_number(static_cast<int>(info.GetElementType())),
                  to_indices(info.GetShape()),
                  {}};
  if constexpr (requires { x.GetTensorRawData(); }) {
    view.data = x.GetTensorRawData();
  } else {
    view.data = x.template GetTensorData<float>();
  }
  return view;
}

/// DLTensor; versions before 0.5 name the device ctx.
template <class T>
concept DlpackTensor = requires(const T& x) {
  x.dtype.code;
  x.dtype.bits;
  x.dtype.lanes;
  x.ndim;
  x.shape[0];
  x.strides[0];
  x.byte_offset;
  requires requires {
    x.device.device_type;
  } || requires {
    x.ctx.device_type;
  };
};

/// DLManagedTensor, and DLManagedTensorVersioned of 1.x.
template <class T>
concept DlpackManaged = requires(const T& x) {
  x.dl_tensor;
}
&&DlpackTensor<decltype(T::dl_tensor)>;

template <DlpackTensor T>
int dlpack_device(const T& x) {
  if constexpr (requires { x.device.device_type; }) {
    return static_cast<int>(x.device.device_type);
  } else {
    return static_cast<int>(x.ctx.device_type);
  }
}

inline NumberType dlpack_number(int code, int bits, int lanes) {
  using enum NumberType;
  // The kind (0 signed, 1 unsigned, 2 float, 4 bfloat, 6 bool) and the bits in one number.
  static constexpr NumberCode codes[] = {
      {8, i8},     {16, i16},   {32, i32},   {64, i64},   {1008, u8},   {1016, u16},    {1032, u32},
      {1064, u64}, {2016, f16}, {2032, f32}, {2064, f64}, {4016, bf16}, {6008, boolean}};
  require(lanes == 1, "view: type: DLPack numbers must have 1 lane, got ", lanes);
  for (const NumberCode& known : codes) {
    if (known.code == code * 1000 + bits) return known.type;
  }
  throw std::invalid_argument(message("view: type: DLPack kind ", code, " of ", bits,
                                      " bits is not read; convert it to float32"));
}

template <DlpackTensor T>
TensorView members_view(const T& x) {
  const int device = dlpack_device(x);
  const bool host = device == 1 || device == 3 || device == 11;  // 3, 11: pinned for CUDA, ROCm
  require_cpu(host, "DLPack device type ", device);
  require(x.ndim >= 0, "view: shape: DLPack tensors must have >= 0 axes, got ", x.ndim);
  const auto rank = static_cast<std::size_t>(x.ndim);
  const auto* data = static_cast<const std::byte*>(static_cast<const void*>(x.data));
  TensorView view{data == nullptr ? data : data + x.byte_offset,
                  dlpack_number(x.dtype.code, x.dtype.bits, x.dtype.lanes),
                  {},
                  {}};
  view.shape = to_indices(std::span(x.shape, rank));
  if (x.strides != nullptr) view.strides = to_indices(std::span(x.strides, rank));
  return view;
}

template <DlpackManaged T>
TensorView members_view(const T& x) {
  if constexpr (requires { x.version.major; }) {
    require(x.version.major == 1, "view: version: DLPack must be 1.x, got ", x.version.major, ".",
            x.version.minor);
  }
  return members_view(x.dl_tensor);
}

}  // namespace diffseg::detail
