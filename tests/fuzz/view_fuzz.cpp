// SPDX-License-Identifier: MIT
// Views of memory with any shape, strides, type and offset: refused with std::invalid_argument, or
// every number of the layers made of them can be read.
#include <diffseg/io/view.hpp>

#include "fuzz.hpp"
#include "values.hpp"

namespace {

using diffseg::GridSize;
using diffseg::Index;
using diffseg::Layer;
using diffseg::LayerKind;
using diffseg::NumberType;
using diffseg::TensorView;

std::vector<Index> wholes(fuzz::Values& values, Index most) {
  std::vector<Index> result(static_cast<std::size_t>(values.within(0, most)));
  for (Index& number : result) number = values.whole();
  return result;
}

GridSize grid(fuzz::Values& values) {
  return values.flag() ? GridSize{} : GridSize{values.whole(), values.whole()};
}

diffseg::LayerGrids grids(fuzz::Values& values) {
  diffseg::LayerGrids result{.queries = grid(values), .keys = grid(values)};
  if (values.flag()) return result;
  result.skip = {.first = values.whole(), .last = values.whole()};
  for (Index i = values.within(0, 2); i > 0; --i)
    result.skip.ranges.push_back({values.whole(), values.whole()});
  return result;
}

/// A part of it, or its axes in another order.
TensorView changed(const TensorView& view, fuzz::Values& values) {
  switch (values.within(0, 4)) {
    case 0:
      return view.permuted(wholes(values, 5));
    case 1:
      return view.range(values.whole(), values.whole(), values.whole());
    case 2:
      return view.at(values.whole(), values.whole());
    case 3:
      return view.merged(values.whole());
    default:
      return view;
  }
}

/// Reads the first and the last number of each row, where they are not too many.
void read_rows(const void* data, const Layer& layer, Index rows, Index width, Index head_step,
               Index row_step) {
  if (layer.heads > 4096 / rows) return;
  const Index bytes = diffseg::detail::element_bytes(layer.type);
  unsigned sum = 0;
  for (Index head = 0; head < layer.heads; ++head) {
    for (Index row = 0; row < rows; ++row) {
      const auto* const begin =
          static_cast<const unsigned char*>(data) + (head * head_step + row * row_step) * bytes;
      sum += begin[0] + begin[width * bytes - 1];
    }
  }
  fuzz::require_true(sum <= 4096 * 2 * 255U);
}

void use(const Layer& layer) {
  layer.check("fuzz");
  fuzz::require_true(layer.bytes() > 0);
  const Index queries = layer.queries.cells();
  if (layer.kind == LayerKind::sparse) {
    const Index count = layer.row_starts[layer.heads * queries];
    const auto* const numbers = static_cast<const unsigned char*>(layer.data);
    fuzz::require_true(numbers[count * diffseg::detail::element_bytes(layer.type) - 1] <= 255);
    return;
  }
  const bool products = layer.kind == LayerKind::queries_keys;
  const Index width = products ? layer.depth : layer.keys.cells();
  read_rows(layer.data, layer, queries, width, layer.head_step(), layer.query_step());
  if (products) {
    read_rows(layer.key_data, layer, layer.keys.cells(), width, layer.key_head_step(),
              layer.key_step());
  }
}

/// A view of real numbers, and layers of it.
template <class Number>
void view_numbers(fuzz::Values& values) {
  std::vector<Number> numbers(static_cast<std::size_t>(values.within(1, 300)));
  const auto span = std::span<const Number>(numbers);
  TensorView view = diffseg::view(span, wholes(values, 6), wholes(values, 6));
  for (Index i = values.within(0, 2); i > 0; --i) view = changed(view, values);
  if (values.flag()) return use(diffseg::layer_from(view, grids(values)));
  TensorView other = diffseg::view(span, wholes(values, 4), wholes(values, 4));
  if (values.flag())
    return use(diffseg::queries_keys_from(view, other, grids(values), values.number<double>()));
  const std::vector<std::int32_t> keys(numbers.size());
  use(diffseg::top_k_from(view, diffseg::view(std::span<const std::int32_t>(keys), view.shape),
                          grids(values)));
}

/// A view of anything, of which nothing is read.
void view_anything(fuzz::Values& values) {
  alignas(8) static const std::byte memory[16] = {};
  const auto type = static_cast<NumberType>(values.within(0, 12));
  const void* const data = values.flag() ? memory + values.within(0, 8) : nullptr;
  TensorView view{data, type, wholes(values, 6), wholes(values, 6)};
  view = diffseg::view(view.data, view.type, view.shape, view.strides);
  for (Index i = values.within(0, 2); i > 0; --i) view = changed(view, values);
  auto asked = grids(values);
  asked.skip = {};
  diffseg::layer_from(view, asked).check("fuzz");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Values values(data, size);
  try {
    switch (values.within(0, 3)) {
      case 0:
        view_numbers<float>(values);
        break;
      case 1:
        view_numbers<double>(values);
        break;
      case 2:
        view_numbers<Eigen::half>(values);
        break;
      default:
        view_anything(values);
    }
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
