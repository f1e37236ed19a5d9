// SPDX-License-Identifier: MIT
#include "array_use.hpp"

#include <algorithm>
#include <cmath>
#include <diffseg/data/layer_tokens.hpp>

#include "text.hpp"

namespace cli {

using diffseg::Index;
using diffseg::NumberType;
using diffseg::Tensor;

namespace {

std::string listed(const std::vector<Index>& shape) {
  std::string text;
  for (const Index extent : shape) text += message(text.empty() ? "" : ", ", extent);
  return '[' + text + ']';
}

bool is_floating(NumberType type) {
  return type == NumberType::f16 || type == NumberType::bf16 || type == NumberType::f32 ||
         type == NumberType::f64;
}

ArrayUse use_of(const std::vector<Index>& shape) {
  const std::size_t rank = shape.size();
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return ArrayUse::none;
  if (rank == 2) return shape[0] == shape[1] && shape[0] > 1 ? ArrayUse::self : ArrayUse::none;
  if (rank == 5) return ArrayUse::self;
  if (rank == 4 && shape[1] * shape[2] == shape[3]) return ArrayUse::self;
  if (rank == 4 && shape[0] != 1) return ArrayUse::none;
  if (rank != 3 && rank != 4) return ArrayUse::none;
  const Index queries = shape[rank - 2];
  if (queries == shape.back()) return ArrayUse::self;
  const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(queries))));
  return side * side == queries ? ArrayUse::cross : ArrayUse::none;
}

/// Nothing negative, and no sum above `most`. NaN is left to the stages, which name its place.
bool is_plausible(const std::vector<double>& row, double most) {
  double sum = 0;
  for (const double number : row) {
    if (number < 0) return false;
    sum += number;
  }
  return !(sum > most);
}

/// 16 rows, evenly from all. Cross-attention need not be normalised; half precision rounds sums.
bool is_plausible(const Tensor& tensor, ArrayUse use) {
  const double most_mass = use == ArrayUse::self ? 1.05 : INFINITY;
  const Index width =
      tensor.shape.size() == 5 ? tensor.shape[3] * tensor.shape[4] : tensor.shape.back();
  const Index rows = tensor.count() / width;
  const std::size_t bytes = static_cast<std::size_t>(width) * number_bytes(tensor.type);
  constexpr Index most = 16;
  for (Index i = 0; i < std::min(rows, most); ++i) {
    Tensor row = tensor;
    const Index at = rows <= most ? i : i * (rows - 1) / (most - 1);
    row.bytes = tensor.bytes.subspan(static_cast<std::size_t>(at) * bytes, bytes);
    if (!is_plausible(row.as<double>(), most_mass)) return false;
  }
  return true;
}

void pass_over(SortedArray& array, const std::string& why) {
  array.use = ArrayUse::none;
  array.why_not = array.tensor.name + ": " + why;
}

}  // namespace

SortedArray sort_array(Tensor tensor) {
  SortedArray array{std::move(tensor)};
  if (!is_floating(array.tensor.type)) {
    pass_over(array, "type: no floating point numbers");
    return array;
  }
  array.use = use_of(array.tensor.shape);
  if (array.use == ArrayUse::none) {
    pass_over(array, "shape: " + listed(array.tensor.shape) + " is no attention");
    return array;
  }
  array.plausible = is_plausible(array.tensor, array.use);
  std::vector<Index>& shape = array.tensor.shape;
  if (array.use == ArrayUse::cross && shape.size() == 4) shape.erase(shape.begin());
  return array;
}

void settle(std::vector<SortedArray>& arrays) {
  const bool some = std::any_of(arrays.begin(), arrays.end(), [](const SortedArray& array) {
    return array.use == ArrayUse::self && array.plausible;
  });
  for (SortedArray& array : arrays) {
    if (some && array.use != ArrayUse::none && !array.plausible)
      pass_over(array, "rows: are negative or sum to more than 1, no attention like the others");
  }
}

}  // namespace cli
