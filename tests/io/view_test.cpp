// SPDX-License-Identifier: MIT
// Structs here have the members of other libraries' tensors; tests/io/foreign has the real ones.
#include <diffseg/attention/aggregate.hpp>
#include <diffseg/io/view.hpp>

#include <array>
#include <map>
#include <numeric>
#include <random>
#include <span>

#include "support/catch.hpp"
#include "support/shifted.hpp"

namespace {

using diffseg::GridSize;
using diffseg::Index;
using diffseg::Layer;
using diffseg::NumberType;
using diffseg::TensorView;
using Indices = std::vector<Index>;

std::vector<float> counting(Index count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0.0F);
  return values;
}

/// What std::invalid_argument says; empty when nothing is refused.
template <class Call>
std::string message_of(const Call& call) {
  try {
    static_cast<void>(call());
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

/// The number at `place` of a view of float.
float number_at(const TensorView& view, const Indices& place) {
  const auto* at = static_cast<const float*>(view.data);
  for (std::size_t axis = 0; axis < place.size(); ++axis) at += place[axis] * view.strides[axis];
  return *at;
}

/// at::Tensor
struct TorchLike {
  enum class Scalar : std::int8_t { integer = 3, half = 5, single = 6, complex = 9, brain = 15 };
  struct Device {
    std::string name;
    [[nodiscard]] std::string str() const { return name; }
  };
  std::span<const std::int64_t> extents, steps;
  void* numbers = nullptr;
  Scalar scalar = Scalar::single;
  std::string place = "cpu";
  int kind = 0;

  [[nodiscard]] auto sizes() const { return extents; }
  [[nodiscard]] auto strides() const { return steps; }
  [[nodiscard]] void* data_ptr() const { return numbers; }
  [[nodiscard]] Scalar scalar_type() const { return scalar; }
  [[nodiscard]] bool is_cpu() const { return place == "cpu"; }
  [[nodiscard]] Device device() const { return {place}; }
  [[nodiscard]] int layout() const { return kind; }
};

/// Ort::Value
struct OnnxLike {
  struct Info {
    std::vector<std::int64_t> extents;
    int type = 1;
    [[nodiscard]] auto GetShape() const { return extents; }    // NOLINT
    [[nodiscard]] int GetElementType() const { return type; }  // NOLINT
  };
  struct Memory {
    int device = 0;
    [[nodiscard]] int GetDeviceType() const { return device; }  // NOLINT
  };
  Info info;
  const void* numbers = nullptr;
  int device = 0;
  [[nodiscard]] Info GetTensorTypeAndShapeInfo() const { return info; }   // NOLINT
  [[nodiscard]] Memory GetTensorMemoryInfo() const { return {device}; }   // NOLINT
  [[nodiscard]] const void* GetTensorRawData() const { return numbers; }  // NOLINT
};

/// DLTensor of 0.5 and later, and the two that manage one.
struct DlpackLike {
  void* data;
  struct {
    int device_type, device_id;
  } device;
  std::int32_t ndim;
  struct {
    std::uint8_t code, bits;
    std::uint16_t lanes;
  } dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};
struct ManagedLike {
  DlpackLike dl_tensor;
  void (*deleter)(ManagedLike*);
};
struct VersionedLike {
  struct {
    std::uint32_t major, minor;
  } version;
  std::uint64_t flags;
  DlpackLike dl_tensor;
};
/// DLTensor before 0.5
struct OldDlpackLike {
  void* data;
  struct {
    int device_type, device_id;
  } ctx;
  int ndim;
  struct {
    std::uint8_t code, bits;
    std::uint16_t lanes;
  } dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};

/// cv::Mat
template <class Number>
struct CvSizes {
  std::vector<Number> values;
  CvSizes(std::initializer_list<Number> list) : values(list) {}
  const Number& operator[](int axis) const { return values[static_cast<std::size_t>(axis)]; }
};
struct CvLike {
  int dims = 0;
  unsigned char* data = nullptr;
  CvSizes<int> size;
  CvSizes<std::size_t> step;
  int depth_code = 5;
  int channel_count = 1;
  [[nodiscard]] int depth() const { return depth_code; }
  [[nodiscard]] int channels() const { return channel_count; }
  [[nodiscard]] std::size_t elemSize1() const {  // NOLINT
    constexpr std::array<std::size_t, 9> bytes{1, 1, 2, 2, 4, 4, 8, 2, 2};
    return bytes[static_cast<std::size_t>(depth_code)];
  }
};

/// std::mdspan
struct MdspanLike {
  using element_type = const float;  // NOLINT
  using reference = const float&;    // NOLINT
  struct Extents {
    std::array<int, 3> values;
    [[nodiscard]] int extent(std::size_t axis) const { return values[axis]; }
  };
  const float* numbers;
  Extents sizes;
  std::array<int, 3> steps;
  static constexpr std::size_t rank() { return 3; }
  [[nodiscard]] const Extents& extents() const { return sizes; }
  [[nodiscard]] int stride(std::size_t axis) const { return steps[axis]; }
  [[nodiscard]] const float* data_handle() const { return numbers; }
};

/// A container and a view of xtensor.
template <class Number>
struct XtensorLike {
  std::vector<Number> numbers;
  std::vector<std::size_t> extents;
  std::vector<std::ptrdiff_t> steps;
  std::size_t begin = 0;
  [[nodiscard]] const Number* data() const { return numbers.data(); }
  [[nodiscard]] std::size_t data_offset() const { return begin; }
  [[nodiscard]] const auto& shape() const { return extents; }
  [[nodiscard]] const auto& strides() const { return steps; }
};

DlpackLike dlpack(std::vector<float>& values, std::vector<std::int64_t>& shape) {
  return {values.data(), {1, 0}, static_cast<int>(shape.size()), {2, 32, 1}, shape.data(),
          nullptr,       0};
}

}  // namespace

TEST_CASE("view: pointers and spans take extents and strides", "[unit][view]") {
  const auto values = counting(24);
  const auto dense = diffseg::view(values.data(), {2, 3, 4});
  REQUIRE(dense.data == values.data());
  REQUIRE(dense.type == NumberType::f32);
  REQUIRE(dense.strides == Indices{12, 4, 1});
  const auto padded = diffseg::view(std::span(values), {2, 3, 2}, {12, 4, 1});
  REQUIRE(number_at(padded, {1, 2, 1}) == 21);
  REQUIRE(diffseg::view(values, {6, 4}).strides == Indices{4, 1});
  REQUIRE(diffseg::view(values.data(), {0, 4}).shape == Indices{0, 4});
  const std::vector<std::uint16_t> bits(4);
  REQUIRE(diffseg::view(bits.data(), NumberType::f16, {1, 2, 2}).type == NumberType::f16);
  REQUIRE(diffseg::view(std::vector<Eigen::half>(4), {4}).type == NumberType::f16);
  REQUIRE(diffseg::view(std::vector<Eigen::bfloat16>(4), {4}).type == NumberType::bf16);
  REQUIRE(diffseg::view(std::vector<double>(4), {4}).type == NumberType::f64);
  REQUIRE(diffseg::view(std::vector<std::int64_t>(4), {4}).type == NumberType::i64);
  REQUIRE(diffseg::view(bits, {4}).type == NumberType::u16);
}

TEST_CASE("view: what no memory has is refused in words", "[unit][view]") {
  const auto values = counting(24);
  const float* none = nullptr;
  const auto text = [](const auto& call) { return message_of(call); };
  REQUIRE(text([&] {
            return diffseg::view(none, {2, 2});
          }) == "view: data: must not be null for [2, 2]");
  REQUIRE(text([&] {
            return diffseg::view(values, {-1, 2});
          }) == "view: shape: extents must be >= 0, got [-1, 2]");
  REQUIRE(text([&] {
            return diffseg::view(values.data(), {2, 2}, {1});
          }) == "view: strides: must be one for each of 2 axes, got 1");
  REQUIRE(text([&] {
            return diffseg::view(values, {5, 5});
          }) == "view: shape: [5, 5] with strides [5, 1] needs 25 numbers, got 24");
  REQUIRE(text([&] {
            return diffseg::view(values, {2, 2}, {-2, 1});
          }) == "view: strides: must be >= 0 within a span, got [-2, 1]");
  const Index huge = std::numeric_limits<Index>::max() / 2;
  REQUIRE_THROWS_AS(diffseg::view(values.data(), {huge, 8}), std::invalid_argument);
  REQUIRE_THROWS_AS(diffseg::view(values.data(), {2, 2}, {huge, 1}), std::invalid_argument);
  REQUIRE_THROWS_AS(diffseg::view(values.data(), {2}, {std::numeric_limits<Index>::min()}),
                    std::invalid_argument);
}

TEST_CASE("view: axes are permuted and cut and merged", "[unit][view]") {
  const auto values = counting(120);
  const auto view = diffseg::view(values, {2, 3, 4, 5});
  const auto permuted = view.permuted({0, 2, 1, 3});
  REQUIRE(permuted.shape == Indices{2, 4, 3, 5});
  REQUIRE(number_at(permuted, {1, 3, 2, 4}) == 119);
  REQUIRE(number_at(permuted, {0, 1, 2, 0}) == 45);
  const auto part = view.range(3, 1, 4).at(0, 1);
  REQUIRE(part.shape == Indices{3, 4, 3});
  REQUIRE(number_at(part, {0, 0, 0}) == 61);
  REQUIRE(number_at(part, {2, 3, 2}) == 118);
  const auto merged = view.range(3, 1, 4).merged(0);
  REQUIRE(merged.shape == Indices{6, 4, 3});
  REQUIRE(number_at(merged, {5, 3, 2}) == 118);
  REQUIRE(view.at(1, 0).merged(1).shape == Indices{2, 20});
  REQUIRE(view.range(0, 1, 2).permuted({1, 0, 2, 3}).merged(0).strides == Indices{20, 5, 1});
  REQUIRE(message_of([&] { return part.merged(1); }) ==
          "view: strides: axes 1 and 2 of [3, 4, 3] do not follow one another, got [20, 5, 1]; "
          "make it contiguous");
  REQUIRE(message_of([&] {
            return view.permuted({0, 1, 1, 2});
          }) == "view: axes: must name each of 4 once, got [0, 1, 1, 2]");
  REQUIRE_THROWS_AS(view.permuted({0, 1, 2, 4}), std::invalid_argument);
  REQUIRE_THROWS_AS(view.permuted({0, 1, 2}), std::invalid_argument);
  REQUIRE(message_of([&] { return view.range(1, 2, 4); }) ==
          "view: range: must lie within 0 .. 3 of axis 1, got 2 .. 4");
  REQUIRE_THROWS_AS(view.range(1, 2, 2), std::invalid_argument);
  REQUIRE_THROWS_AS(view.at(1, -1), std::invalid_argument);
  REQUIRE(message_of([&] { return view.merged(3); }) == "view: axis: must be one of 4, got 4");
}

TEST_CASE("view: tensors of torch are known by their members", "[unit][view]") {
  auto values = counting(24);
  const std::array<std::int64_t, 3> extents{3, 2, 4};
  const std::array<std::int64_t, 3> steps{4, 12, 1};
  TorchLike tensor{extents, steps, values.data()};
  const auto view = diffseg::view(tensor);
  REQUIRE(view.shape == Indices{3, 2, 4});
  REQUIRE(number_at(view, {2, 1, 3}) == 23);
  REQUIRE(view.owner == nullptr);
  tensor.scalar = TorchLike::Scalar::brain;
  REQUIRE(diffseg::view(tensor).type == NumberType::bf16);
  tensor.scalar = TorchLike::Scalar::complex;
  REQUIRE(message_of([&] { return diffseg::view(tensor); }) ==
          "view: type: torch type 9 is not read; convert it to float32");
  tensor.place = "cuda:1";
  REQUIRE(message_of([&] { return diffseg::view(tensor); }) ==
          "view: memory: must be the CPU's, got cuda:1; copy the tensor to it first");
  tensor.place = "cpu";
  tensor.kind = 1;
  REQUIRE(message_of([&] { return diffseg::view(tensor); }) ==
          "view: layout: must be strided, got layout 1; call to_dense()");
}

TEST_CASE("view: values of ONNX Runtime are known by their members", "[unit][view]") {
  const auto values = counting(24);
  OnnxLike value{{{2, 3, 4}}, values.data()};
  REQUIRE(number_at(diffseg::view(value), {1, 2, 3}) == 23);
  value.info.type = 10;
  REQUIRE(diffseg::view(value).type == NumberType::f16);
  value.info.type = 8;
  REQUIRE(message_of([&] { return diffseg::view(value); }) ==
          "view: type: ONNX type 8 is not read; convert it to float32");
  value.device = 1;
  REQUIRE(message_of([&] { return diffseg::view(value); }) ==
          "view: memory: must be the CPU's, got ONNX device type 1; copy the tensor to it first");
}

TEST_CASE("view: DLPack tensors of every version are known by their members", "[unit][view]") {
  auto values = counting(24);
  std::vector<std::int64_t> shape{2, 3, 4};
  auto tensor = dlpack(values, shape);
  REQUIRE(diffseg::view(tensor).strides == Indices{12, 4, 1});
  std::vector<std::int64_t> strides{4, 8, 1};
  tensor.strides = strides.data();
  tensor.byte_offset = 8;
  const auto view = diffseg::view(tensor);
  REQUIRE(view.strides == Indices{4, 8, 1});
  REQUIRE(number_at(view, {1, 1, 1}) == 15);
  const OldDlpackLike old{values.data(), {1, 0}, 3, {4, 16, 1}, shape.data(), nullptr, 0};
  REQUIRE(diffseg::view(old).type == NumberType::bf16);
  REQUIRE(number_at(diffseg::view(ManagedLike{tensor, nullptr}), {0, 0, 0}) == 2);
  VersionedLike versioned{{1, 3}, 0, tensor};
  REQUIRE(number_at(diffseg::view(versioned), {0, 0, 0}) == 2);
  versioned.version = {2, 0};
  REQUIRE(message_of([&] { return diffseg::view(versioned); }) ==
          "view: version: DLPack must be 1.x, got 2.0");
  tensor.device.device_type = 3;  // pinned memory of the host
  REQUIRE_NOTHROW(diffseg::view(tensor));
  tensor.dtype = {2, 8, 1};
  REQUIRE(message_of([&] { return diffseg::view(tensor); }) ==
          "view: type: DLPack kind 2 of 8 bits is not read; convert it to float32");
  tensor.dtype = {2, 32, 4};
  REQUIRE(message_of([&] { return diffseg::view(tensor); }) ==
          "view: type: DLPack numbers must have 1 lane, got 4");
  tensor.device.device_type = 2;
  REQUIRE(message_of([&] { return diffseg::view(tensor); }) ==
          "view: memory: must be the CPU's, got DLPack device type 2; copy the tensor to it first");
}

TEST_CASE("view: every type has the code that its library publishes", "[unit][view]") {
  using enum NumberType;
  // c10/core/ScalarType.h: byte, char, short, int, long, half, float, double, bool, bfloat16.
  const std::map<int, NumberType> torch = {{0, u8},  {1, i8},  {2, i16}, {3, i32},      {4, i64},
                                           {5, f16}, {6, f32}, {7, f64}, {11, boolean}, {15, bf16}};
  // onnx.proto, TensorProto.DataType.
  const std::map<int, NumberType> onnx = {{1, f32},  {2, u8},   {3, i8},      {4, u16},  {5, i16},
                                          {6, i32},  {7, i64},  {9, boolean}, {10, f16}, {11, f64},
                                          {12, u32}, {13, u64}, {16, bf16}};
  // dlpack.h: the kind times 1000, and the bits.
  const std::map<int, NumberType> dlpack = {
      {8, i8},     {16, i16},   {32, i32},   {64, i64},   {1008, u8},   {1016, u16},    {1032, u32},
      {1064, u64}, {2016, f16}, {2032, f32}, {2064, f64}, {4016, bf16}, {6008, boolean}};
  // opencv2/core/hal/interface.h: CV_8U to CV_16F, CV_16BF of version 5.
  const std::map<int, NumberType> opencv = {{0, u8},  {1, i8},  {2, u16}, {3, i16}, {4, i32},
                                            {5, f32}, {6, f64}, {7, f16}, {8, bf16}};
  using diffseg::detail::dlpack_number, diffseg::detail::onnx_number, diffseg::detail::torch_number;
  std::array<unsigned char, 64> bytes{};
  const auto check = [&](int code, const std::map<int, NumberType>& known, const auto& type_of) {
    CAPTURE(code);
    if (known.contains(code)) {
      REQUIRE(type_of() == known.at(code));
    } else {
      REQUIRE(message_of(type_of).starts_with("view: type: "));
    }
  };
  for (int code = -1; code <= 20; ++code) {
    check(code, torch, [&] { return torch_number(code); });
    check(code, onnx, [&] { return onnx_number(code); });
    if (code < 0 || code > 8) continue;  // what the struct above knows
    check(code, opencv, [&] {
      return diffseg::view(CvLike{2, bytes.data(), {2, 2}, {16, 8}, code}).type;
    });
  }
  for (int kind = 0; kind <= 7; ++kind) {
    for (const int bits : {1, 4, 8, 16, 32, 64, 128}) {
      check(1000 * kind + bits, dlpack, [&] { return dlpack_number(kind, bits, 1); });
    }
  }
}

TEST_CASE("view: a managed DLPack tensor is given back when its layer goes", "[unit][view]") {
  static int given_back = 0;
  auto values = counting(16);
  std::vector<std::int64_t> shape{1, 4, 4};
  ManagedLike managed{dlpack(values, shape), [](ManagedLike*) { ++given_back; }};
  {
    Layer layer;
    {
      const std::shared_ptr<ManagedLike> kept(&managed, managed.deleter);
      layer = diffseg::layer_from(diffseg::view(*kept, kept));
    }
    REQUIRE(given_back == 0);
  }
  REQUIRE(given_back == 1);
}

TEST_CASE("view: matrices of OpenCV are known by their members", "[unit][view]") {
  auto values = counting(48);
  auto* bytes = reinterpret_cast<unsigned char*>(values.data());
  const auto cut = diffseg::view(CvLike{2, bytes + 36, {2, 3}, {32, 4}});  // a region
  REQUIRE(cut.shape == Indices{2, 3});
  REQUIRE(cut.strides == Indices{8, 1});
  REQUIRE(number_at(cut, {1, 2}) == 19);
  const auto volume = diffseg::view(CvLike{3, bytes, {2, 3, 4}, {48, 16, 4}});
  REQUIRE(number_at(volume, {1, 2, 3}) == 23);
  const auto colours = diffseg::view(CvLike{2, bytes, {4, 4}, {48, 12}, 5, 3});
  REQUIRE(colours.shape == Indices{4, 4, 3});
  REQUIRE(number_at(colours, {3, 2, 1}) == 43);
  REQUIRE(diffseg::view(CvLike{2, bytes, {4, 4}, {8, 2}, 7}).type == NumberType::f16);
  REQUIRE(diffseg::view(CvLike{2, bytes, {2, 4}, {32, 8}, 6}).type == NumberType::f64);
  REQUIRE(message_of([&] {
            return diffseg::view(CvLike{2, bytes, {2, 3}, {14, 4}});
          }) == "view: strides: must be whole numbers, got a step of 14 bytes for numbers of 4");
}

TEST_CASE("view: mdspans and arrays of xtensor are known by their members", "[unit][view]") {
  const auto values = counting(24);
  const MdspanLike span{values.data(), {{2, 3, 4}}, {1, 2, 6}};  // layout_left
  REQUIRE(diffseg::view(span).shape == Indices{2, 3, 4});
  REQUIRE(number_at(diffseg::view(span), {1, 2, 3}) == 23);
  const XtensorLike<float> array{values, {2, 3}, {12, -1}, 3};
  const auto view = diffseg::view(array);
  REQUIRE(view.strides == Indices{12, -1});
  REQUIRE(number_at(view, {1, 2}) == 13);
  REQUIRE(diffseg::view(XtensorLike<double>{{1}, {1}, {0}}).type == NumberType::f64);
}

TEST_CASE("view: matrices of Eigen are seen in either order", "[unit][view]") {
  Eigen::MatrixXf columns(2, 3);
  columns << 0, 1, 2, 3, 4, 5;
  const diffseg::Matrix<float> rows = columns;
  REQUIRE(diffseg::view(columns).strides == Indices{1, 2});
  REQUIRE(diffseg::view(rows).strides == Indices{3, 1});
  REQUIRE(number_at(diffseg::view(columns), {1, 2}) == 5);
  REQUIRE(number_at(diffseg::view(rows.rightCols(2)), {1, 0}) == 4);
  REQUIRE(number_at(diffseg::view(columns.transpose()), {2, 1}) == 5);
  using Strided = Eigen::Map<const diffseg::Matrix<float>, 0, Eigen::OuterStride<>>;
  const auto values = counting(12);
  const Strided map(values.data(), 3, 2, Eigen::OuterStride<>(4));
  REQUIRE(number_at(diffseg::view(map), {2, 1}) == 9);
  REQUIRE(number_at(diffseg::view(map.row(1)), {0, 1}) == 5);
}

TEST_CASE("view: an rvalue is kept and an lvalue is not", "[unit][view]") {
  TensorView kept;
  {
    XtensorLike<float> array{counting(16), {1, 4, 4}, {0, 4, 1}};
    REQUIRE(diffseg::view(array).owner == nullptr);
    const void* numbers = array.data();
    kept = diffseg::view(std::move(array));
    REQUIRE(kept.data == numbers);
  }
  REQUIRE(kept.owner != nullptr);
  const auto layer = diffseg::layer_from(kept);
  REQUIRE(layer.owner == kept.owner);
  REQUIRE(static_cast<const float*>(layer.data)[15] == 15);
  const auto vector = diffseg::view(counting(16), {1, 4, 4});
  REQUIRE(vector.owner != nullptr);
  REQUIRE(number_at(vector, {0, 3, 3}) == 15);
  REQUIRE_THROWS_AS(diffseg::view(counting(15), {1, 4, 4}), std::invalid_argument);
  const auto owner = std::make_shared<int>(1);
  const auto values = counting(4);
  REQUIRE(diffseg::view(std::span(values), {4}).owner == nullptr);
  REQUIRE(diffseg::view(values.data(), {4}, {}, owner).owner == owner);
  const auto both = diffseg::view(Eigen::VectorXf(4), owner);
  REQUIRE(owner.use_count() == 2);
  REQUIRE(both.owner != owner);
}

TEST_CASE("layer_from: a view becomes a layer where it lies", "[unit][view]") {
  const auto values = counting(64);
  const auto dense = diffseg::layer_from(diffseg::view(values.data(), {2, 4, 4}));
  REQUIRE(dense.data == values.data());
  REQUIRE(dense.heads == 2);
  REQUIRE(dense.queries == GridSize{2, 2});
  REQUIRE(dense.keys == GridSize{2, 2});
  REQUIRE(dense.head_step() == 16);
  REQUIRE(dense.query_step() == 4);
  const auto padded = diffseg::layer_from(diffseg::view(values, {2, 4, 8}).range(2, 2, 6));
  REQUIRE(padded.data == values.data() + 2);
  REQUIRE(padded.head_step() == 32);
  REQUIRE(padded.query_step() == 8);
  const auto turned = diffseg::layer_from(diffseg::view(values, {4, 2, 4}).permuted({1, 0, 2}));
  REQUIRE(turned.head_step() == 4);
  REQUIRE(turned.query_step() == 8);
  const auto text = diffseg::layer_from(diffseg::view(values, {2, 4, 8}), {.keys = {1, 8}});
  REQUIRE(text.keys == GridSize{1, 8});
  const auto grids = diffseg::layer_from(diffseg::view(values, {1, 2, 4, 2, 4}));
  REQUIRE(grids.queries == GridSize{2, 4});
  REQUIRE(grids.keys == GridSize{2, 4});
  REQUIRE(grids.query_step() == 8);
  const auto drawn = diffseg::layer_from(diffseg::view(values, {2, 1, 4, 8}).range(3, 0, 4));
  REQUIRE(drawn.queries == GridSize{1, 4});
  REQUIRE(drawn.query_step() == 8);
  const auto batch = diffseg::view(values, {2, 2, 4, 4}).merged(0);
  REQUIRE(diffseg::layer_from(batch).heads == 4);
  REQUIRE(diffseg::layer_from(diffseg::view(values.data(), {1, 1, 1}, {0, 0, 0})).query_step() ==
          1);
  const auto mean = diffseg::layer_from(diffseg::view(values, {4, 8}).range(1, 0, 4));
  REQUIRE(mean.heads == 1);
  REQUIRE(mean.queries == GridSize{2, 2});
  REQUIRE(mean.query_step() == 8);
  const auto alone = diffseg::layer_from(diffseg::view(values, {1, 2, 4, 8}).range(3, 4, 8));
  REQUIRE(alone.data == values.data() + 4);
  REQUIRE(alone.heads == 2);
  REQUIRE(alone.queries == GridSize{2, 2});
  REQUIRE(alone.head_step() == 32);
}

TEST_CASE("layer_from: a view leaves tokens out that are no cells", "[unit][view]") {
  const auto values = counting(2 * 7 * 8);
  const auto all = diffseg::view(values, {2, 7, 8}).range(2, 0, 7);
  const auto layer = diffseg::layer_from(all, {.skip = {.first = 1, .last = 2}});
  REQUIRE(layer.data == values.data() + 9);
  REQUIRE(layer.queries == GridSize{2, 2});
  REQUIRE(layer.query_step() == 8);
  REQUIRE(layer.head_step() == 56);
  REQUIRE(layer.partial);
  const auto pair = diffseg::queries_keys_from(all, all, {.queries = {2, 3}, .skip = {.first = 1}});
  REQUIRE(pair.data == values.data() + 8);
  REQUIRE(pair.key_data == values.data() + 8);
  REQUIRE(pair.queries == GridSize{2, 3});
  REQUIRE(pair.keys == GridSize{2, 3});
  REQUIRE(message_of([&] { return diffseg::layer_from(all, {.skip = {.first = 7}}); }) ==
          "view: skip: must leave some of the 7 tokens; skip fewer");
  const std::vector<std::int32_t> keys(24);
  REQUIRE(message_of([&] {
            return diffseg::top_k_from(diffseg::view(values, {2, 4, 3}),
                                       diffseg::view(keys, {2, 4, 3}), {.skip = {.first = 1}});
          }) == "view: skip: tokens of a sparse layer are left out by skip_tokens");
}

TEST_CASE("layer_from: a view that is no attention is refused in words", "[unit][view]") {
  const auto values = counting(128);
  const auto text = [](TensorView view, const diffseg::LayerGrids& grids = {}) {
    view.name = "attn1";
    return message_of([&] { return diffseg::layer_from(view, grids); });
  };
  const auto view = diffseg::view(values, {2, 4, 16});
  REQUIRE(text(diffseg::view(values, {16, 8})) ==
          "view: attn1: shape: attention is [heads, queries, keys], [n, n], [1, heads, n, n], "
          "[heads, h, w, keys] or [heads, h, w, h, w], got [16, 8]; reshape it");
  REQUIRE(text(diffseg::view(std::vector<std::int32_t>(16), {1, 4, 4})) ==
          "view: attn1: type: attention must be floating point numbers; convert it to float32");
  REQUIRE(text(diffseg::view(values, {1, 6, 6})) ==
          "view: attn1: shape: holds 6 queries, no square; give their grid, one of 2 x 3, 1 x 6 "
          "(text tokens are one row)");
  REQUIRE(text(diffseg::view(values, {2, 4, 4, 4})).find("reshape [batch, heads, queries, keys]") !=
          std::string::npos);
  REQUIRE(text(view.permuted({0, 2, 1})) ==
          "view: attn1: strides: numbers of a row must be neighbours (last stride 1), got [64, 1, "
          "16]; make it contiguous");
  REQUIRE(text(diffseg::view(values.data(), {2, 4, 4}, {0, 4, 1})) ==
          "view: attn1: strides: must be > 0 (0: broadcast, < 0: flipped), got [0, 4, 1]; make it "
          "contiguous");
  REQUIRE(text(diffseg::view(values.data() + 12, {1, 4, 4}, {16, -4, 1})).find("flipped") !=
          std::string::npos);
  REQUIRE(text(diffseg::view(values, {2, 2, 4, 8}).range(2, 0, 2), {.keys = {1, 8}}) ==
          "view: attn1: strides: axes 1 and 2 of [2, 2, 2, 8] do not follow one another, got [64, "
          "32, 8, 1]; make it contiguous");
  REQUIRE_THROWS_AS(diffseg::layer_from(diffseg::view(values, {0, 4, 4})), std::invalid_argument);
}

TEST_CASE("queries_keys_from: two views become a layer that is never stored", "[unit][view]") {
  const auto queries = counting(24);
  const auto keys = counting(36);
  const auto view = diffseg::view(queries, {4, 2, 3}).permuted({1, 0, 2});
  const auto layer =
      diffseg::queries_keys_from(view, diffseg::view(keys, {2, 6, 3}), {.keys = {2, 3}}, 0.25);
  REQUIRE(layer.kind == diffseg::LayerKind::queries_keys);
  REQUIRE(layer.data == queries.data());
  REQUIRE(layer.key_data == keys.data());
  REQUIRE(layer.heads == 2);
  REQUIRE(layer.depth == 3);
  REQUIRE(layer.queries == GridSize{2, 2});
  REQUIRE(layer.keys == GridSize{2, 3});
  REQUIRE(layer.scale == 0.25);
  REQUIRE(layer.head_step() == 3);
  REQUIRE(layer.query_step() == 6);
  REQUIRE(layer.key_head_step() == 18);
  REQUIRE(layer.key_step() == 3);
  const auto same = diffseg::queries_keys_from(view, view);
  REQUIRE(same.keys == GridSize{2, 2});
  REQUIRE(same.scale == 0);
  auto one = std::make_shared<int>(1);
  auto other = std::make_shared<int>(2);
  auto q = view;
  auto k = view;
  q.owner = one;
  k.owner = other;
  const auto owning = diffseg::queries_keys_from(q, k);
  REQUIRE(one.use_count() == 3);
  REQUIRE(other.use_count() == 3);
  REQUIRE(owning.owner != nullptr);
}

TEST_CASE("layer_from: strided views aggregate to the bits of their dense copies", "[law][view]") {
  constexpr Index heads = 3, tokens = 16, depth = 5, wide = 21;
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(0.1F, 1.0F);
  std::vector<float> kept(static_cast<std::size_t>(tokens * heads * wide));
  for (float& number : kept) number = uniform(random);
  const auto strided = diffseg::view(kept, {tokens, heads, wide}).permuted({1, 0, 2});
  const auto dense_copy = [](const TensorView& view) {
    std::vector<float> copy;
    for (Index i = 0; i < view.shape[0]; ++i) {
      for (Index j = 0; j < view.shape[1]; ++j) {
        for (Index k = 0; k < view.shape[2]; ++k) copy.push_back(number_at(view, {i, j, k}));
      }
    }
    return copy;
  };
  const auto rows = [](const Layer& layer) {
    return diffseg::Maps<float>(diffseg::Aggregate{}(diffseg::Layers{layer})).rows();
  };
  const auto attention = strided.range(2, 3, 3 + tokens);
  const auto dense = dense_copy(attention);
  REQUIRE(rows(diffseg::layer_from(attention)) ==
          rows(diffseg::layer_from(diffseg::view(dense, {heads, tokens, tokens}))));
  const auto queries = strided.range(2, 1, 1 + depth);
  const auto keys = strided.range(2, 9, 9 + depth);
  const auto dense_queries = dense_copy(queries);
  const auto dense_keys = dense_copy(keys);
  REQUIRE(
      rows(diffseg::queries_keys_from(queries, keys, {}, 2)) ==
      rows(diffseg::queries_keys_from(diffseg::view(dense_queries, {heads, tokens, depth}),
                                      diffseg::view(dense_keys, {heads, tokens, depth}), {}, 2)));
}

TEST_CASE("queries_keys_from: views that do not fit are refused in words", "[unit][view]") {
  const auto values = counting(64);
  const auto view = diffseg::view(values, {2, 4, 4});
  const auto text = [&](const TensorView& keys, double scale = 0) {
    return message_of([&] { return diffseg::queries_keys_from(view, keys, {}, scale); });
  };
  REQUIRE(text(diffseg::view(values, {2, 4, 8})) ==
          "view: shape: queries and keys must be [heads, tokens, depth] with as many heads and the "
          "same depth, got [2, 4, 4] and [2, 4, 8]");
  REQUIRE(text(diffseg::view(values, {1, 4, 4})).find("as many heads") != std::string::npos);
  REQUIRE(text(diffseg::view(values, {4, 4})).find("got [2, 4, 4] and [4, 4]") !=
          std::string::npos);
  REQUIRE(text(diffseg::view(std::vector<double>(32), {2, 4, 4})) ==
          "view: type: queries and keys must be of one, got numbers of 4 and 8 bytes");
  REQUIRE(text(view, -1) == "view: scale: must be > 0, or 0 for 1 / sqrt(depth), got -1");
  REQUIRE(text(view.permuted({0, 2, 1})).find("neighbours") != std::string::npos);
}

TEST_CASE("top_k_from: numbers and keys become a sparse layer where they lie", "[unit][view]") {
  const auto values = counting(24);
  const std::vector<std::int64_t> keys(24);
  auto one = std::make_shared<int>(1);
  auto numbers = diffseg::view(values, {2, 4, 3});
  numbers.owner = one;
  const auto layer = diffseg::top_k_from(numbers, diffseg::view(keys, {2, 4, 3}));
  REQUIRE(layer.kind == diffseg::LayerKind::sparse);
  REQUIRE(layer.data == values.data());
  REQUIRE(layer.columns == keys.data());
  REQUIRE(layer.column_type == diffseg::Layer::Columns::i64);
  REQUIRE(layer.heads == 2);
  REQUIRE(layer.queries == GridSize{2, 2});
  REQUIRE(layer.keys == GridSize{2, 2});
  REQUIRE(layer.row_starts[8] == 24);
  REQUIRE(one.use_count() == 3);
  // One head of a batch, text as keys.
  const std::vector<std::int32_t> narrow(24);
  const auto part = diffseg::top_k_from(
      numbers.range(0, 1, 2), diffseg::view(narrow, {2, 4, 3}).range(0, 0, 1), {.keys = {1, 77}});
  REQUIRE(part.data == values.data() + 12);
  REQUIRE(part.column_type == diffseg::Layer::Columns::i32);
  REQUIRE(part.keys == GridSize{1, 77});
}

TEST_CASE("views may begin at any byte and keys of sparse layers are then copied", "[unit][view]") {
  auto values = counting(2 * 16);
  const auto* bytes = values.data();
  const auto data = support::shifted(bytes, 2 * 16 * sizeof(float), 3);
  const auto layer =
      diffseg::layer_from(diffseg::view(data.get(), NumberType::f32, {2, 4, 4}, {}, data));
  REQUIRE(layer.data == data.get());
  REQUIRE(diffseg::detail::number_at(layer.type, layer.data, 31) ==
          static_cast<double>(values[31]));
  std::vector<std::int32_t> keys(2 * 4 * 3);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = static_cast<std::int32_t>(i % 4);
  const auto moved = support::shifted(keys.data(), keys.size() * 4, 1);
  const auto sparse =
      diffseg::top_k_from(diffseg::view(data.get(), NumberType::f32, {2, 4, 3}, {}, data),
                          diffseg::view(moved.get(), NumberType::i32, {2, 4, 3}));
  REQUIRE(sparse.data == data.get());
  REQUIRE(reinterpret_cast<std::uintptr_t>(sparse.columns) % 4 == 0);
  REQUIRE(std::memcmp(sparse.columns, keys.data(), keys.size() * 4) == 0);
}

TEST_CASE("top_k_from: what does not fit is refused in words", "[unit][view]") {
  const auto values = counting(24);
  const std::vector<std::int64_t> keys(24);
  const auto numbers = diffseg::view(values, {2, 4, 3});
  const auto text = [&](const TensorView& of, const TensorView& at) {
    return message_of([&] { return diffseg::top_k_from(of, at); });
  };
  REQUIRE(text(numbers, diffseg::view(keys, {2, 4, 2})) ==
          "view: shape: numbers and keys must be [heads, queries, count], got [2, 4, 3] and [2, 4, "
          "2]");
  REQUIRE(text(numbers, numbers) == "view: type: keys must be int32 or int64");
  REQUIRE(
      text(diffseg::view(keys, {2, 4, 3}), diffseg::view(keys, {2, 4, 3})).find("floating point") !=
      std::string::npos);
  const auto gaps = diffseg::view(values, {2, 4, 3}).range(2, 0, 2);
  REQUIRE(text(gaps, diffseg::view(keys, {2, 4, 2})).find("make it contiguous") !=
          std::string::npos);
  const auto turned = diffseg::view(keys, {2, 3, 4}).permuted({0, 2, 1});
  REQUIRE(text(numbers, turned).find("make it contiguous") != std::string::npos);
}

TEST_CASE("view: shapes and grids beyond all memory are refused and soon", "[unit][view]") {
  constexpr Index far = Index{1} << 62;
  constexpr Index last = std::numeric_limits<Index>::max();
  const auto values = counting(24);
  const std::vector<std::int32_t> keys(24);
  const auto layer = [&](const Indices& shape, const Indices& strides, GridSize queries) {
    return message_of([&] {
      return diffseg::layer_from(diffseg::view(values.data(), shape, strides),
                                 {.queries = queries});
    });
  };
  const auto says = [](const std::string& text, const char* part) {
    INFO(text);
    return text.find(part) != std::string::npos;
  };
  CHECK(says(layer({1, 2, 3}, {6, 3, 1}, {far, 4}), "not on a grid of"));
  CHECK(says(layer({1, 2, 3}, {6, 3, 1}, {-far, -8}), "not on a grid of"));
  CHECK(says(layer({1, far, far, 1}, {0, 0, 0, 1}, {}), "multiply without overflow"));
  CHECK(says(layer({1, far - 1, 1}, {0, 0, 1}, {}), "no square"));  // 2^31 sides to try
  CHECK(says(layer({1, last, 1}, {0, 0, 1}, {}), "no square"));
  CHECK(says(message_of([&] {
               return diffseg::view(values, {2, 12}).at(0, last);
             }),
             "range: must lie within 0 .. 2 of axis 0"));
  const auto top = [&](GridSize grid) {
    return message_of([&] {
      return diffseg::top_k_from(diffseg::view(values, {2, 4, 3}), diffseg::view(keys, {2, 4, 3}),
                                 {.keys = grid});
    });
  };
  CHECK(says(top({far, 8}), "grid of the keys must be"));
  CHECK(says(top({1, -1}), "grid of the keys must be"));
}
