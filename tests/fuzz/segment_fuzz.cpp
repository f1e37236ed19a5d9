// SPDX-License-Identifier: MIT
// All stages on small layers of every kind, whose numbers, strides and options are any bytes: a
// refusal with std::invalid_argument, or labels within their range.
#include <diffseg/labels/tidy.hpp>
#include <diffseg/merge/refine_projected.hpp>
#include <diffseg/segment.hpp>
#include <optional>

#include "fuzz.hpp"
#include "values.hpp"

namespace {

using diffseg::GridSize;
using diffseg::Index;
using diffseg::Layer;
using diffseg::LayerKind;

/// Sides that are mostly good.
GridSize grid(fuzz::Values& values, Index most) {
  return {values.within(0, most), values.within(1, most)};
}

/// As many numbers, all of them any bits, or all of them from 0 to 1.
template <class Element>
std::shared_ptr<std::vector<Element>> numbers(fuzz::Values& values, Index count) {
  auto result = std::make_shared<std::vector<Element>>(static_cast<std::size_t>(count));
  if (values.flag()) {
    for (Element& number : *result) number = values.number<Element>();
  } else {
    for (Element& number : *result)
      number = static_cast<Element>(static_cast<float>(values.number<std::uint8_t>()) / 255);
  }
  return result;
}

/// The numbers that [heads, rows, width] with these strides, where they are no nonsense, may read.
Index needed(Index heads, Index rows, Index width, Index head_stride, Index row_stride) {
  const Index row = row_stride != 0 ? row_stride : width;
  const Index head = head_stride != 0 ? head_stride : row * rows;
  return std::max<Index>(1, (heads - 1) * head + (rows - 1) * row + width);
}

/// Strides of none, a few or many numbers; negative ones must be refused.
Index stride(fuzz::Values& values) {
  return values.flag() ? 0 : values.within(-2, 40);
}

struct SparseNumbers {
  std::vector<Index> starts;
  std::vector<std::int32_t> narrow;
  std::vector<std::int64_t> wide;
};

/// Rows of rising length, or of any; columns within the keys, or a little beside them.
template <class Element>
void make_sparse(Layer& layer, fuzz::Values& values) {
  auto kept = std::make_shared<SparseNumbers>();
  const Index rows = std::max<Index>(0, layer.heads * layer.queries.cells());
  const bool sound = values.flag();
  kept->starts.push_back(sound ? 0 : values.within(-1, 3));
  for (Index row = 0; row < rows; ++row) {
    const Index step = values.within(sound ? 0 : -1, sound ? layer.keys.cells() : 9);
    kept->starts.push_back(kept->starts.back() + step);
  }
  const Index count =
      std::max<Index>(1, *std::max_element(kept->starts.begin(), kept->starts.end()));
  for (Index i = 0; i < count; ++i) {
    const Index key = values.within(sound ? 0 : -1, layer.keys.cells() - (sound ? 1 : 0));
    kept->narrow.push_back(static_cast<std::int32_t>(key));
    kept->wide.push_back(key);
  }
  const bool wide = values.flag();
  layer.column_type = wide ? Layer::Columns::i64 : Layer::Columns::i32;
  layer.columns = wide ? static_cast<const void*>(kept->wide.data()) : kept->narrow.data();
  layer.row_starts = kept->starts.data();
  layer.spread_rest = values.flag();
  const auto held = numbers<Element>(values, count);
  layer.data = held->data();
  layer.head_stride = layer.row_stride = 0;
  layer.owner = std::make_shared<std::pair<decltype(kept), decltype(held)>>(kept, held);
}

template <class Element>
Layer make_layer(fuzz::Values& values) {
  Layer layer{nullptr,
              diffseg::detail::element_type_of<Element>(),
              values.within(0, 3),
              grid(values, 6),
              {},
              nullptr};
  layer.keys = values.flag() ? layer.queries : grid(values, 6);
  layer.kind = values.pick(
      {LayerKind::probabilities, LayerKind::scores, LayerKind::queries_keys, LayerKind::sparse});
  layer.partial = values.flag();
  if (values.within(0, 3) == 0) {
    layer.head_weights.resize(static_cast<std::size_t>(values.within(0, 4)));
    for (double& weight : layer.head_weights)
      weight = values.flag() ? 0.5 : values.number<double>();
  }
  if (layer.kind == LayerKind::sparse) {
    make_sparse<Element>(layer, values);
    return layer;
  }
  layer.head_stride = stride(values);
  layer.row_stride = stride(values);
  const bool products = layer.kind == LayerKind::queries_keys;
  if (products) layer.depth = values.within(0, 9);
  const Index width = products ? layer.depth : layer.keys.cells();
  const auto first = numbers<Element>(values, needed(layer.heads, layer.queries.cells(), width,
                                                     layer.head_stride, layer.row_stride));
  layer.data = first->data();
  layer.owner = first;
  if (!products) return layer;
  layer.scale = values.flag() ? 0 : values.number<double>();
  layer.key_head_stride = stride(values);
  layer.key_row_stride = stride(values);
  const auto second = numbers<Element>(values, needed(layer.heads, layer.keys.cells(), width,
                                                      layer.key_head_stride, layer.key_row_stride));
  layer.key_data = second->data();
  layer.owner = std::make_shared<std::pair<decltype(first), decltype(second)>>(first, second);
  return layer;
}

Layer make_layer(fuzz::Values& values) {
  switch (values.within(0, 3)) {
    case 0:
      return make_layer<float>(values);
    case 1:
      return make_layer<double>(values);
    case 2:
      return make_layer<Eigen::half>(values);
    default:
      return make_layer<Eigen::bfloat16>(values);
  }
}

/// A good value, or any bits.
double option(fuzz::Values& values, std::initializer_list<double> good) {
  return values.within(0, 7) != 0 ? values.pick(good) : values.number<double>();
}

diffseg::SegmentOptions make_options(fuzz::Values& values) {
  diffseg::SegmentOptions options;
  if (values.flag()) options.aggregate.grid = grid(values, 8);
  options.aggregate.weights.resize(static_cast<std::size_t>(values.within(0, 3)));
  for (double& weight : options.aggregate.weights) weight = option(values, {1, 0.5, 0});
  options.aggregate.floor = option(values, {1e-30, 1e-9, 1e-37});
  options.aggregate.shrink = values.within(0, 3);
  options.aggregate.sample = values.flag();
  options.compare.anchors = grid(values, 8);
  options.compare.placement = values.pick(
      {diffseg::Compare::Placement::cell_centred, diffseg::Compare::Placement::published});
  options.compare.fit = values.flag();
  options.compare.match_limit = values.flag() ? 0 : values.whole();
  options.merge.thresholds.resize(static_cast<std::size_t>(values.within(0, 4)));
  for (double& threshold : options.merge.thresholds) threshold = option(values, {0.9, 0.1, 2, 100});
  options.merge.match_limit = values.flag() ? 0 : values.whole();
  options.assign.size = grid(values, 20);
  if (values.flag()) options.assign.ids = diffseg::Assign::Ids::reference;
  if (!values.flag()) options.memory_budget = values.within(-1, 1'000'000);
  return options;
}

void check(const diffseg::Labels& labels, const diffseg::SegmentOptions& options) {
  fuzz::require_true(labels.size == options.assign.size);
  labels.check("fuzz");
  for (const std::int32_t label : labels.values)
    fuzz::require_true(label >= 0 && label < labels.count());
}

/// What programs do behind segment().
void finish(const diffseg::Segmentation<float>& done, fuzz::Values& values) {
  const diffseg::Tidy tidy{.min_area = option(values, {0, 0.01, 1}), .split = values.flag()};
  tidy(done.labels).check("fuzz");
  const diffseg::RefineProjected refine{.components = values.within(0, 5),
                                        .max_iterations = values.within(0, 3)};
  diffseg::Assign{.size = {4, 5}}(refine(done.proposals)).check("fuzz");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const diffseg::ThreadLimit one(1);
  fuzz::Values values(data, size);
  try {
    const diffseg::SegmentOptions options = make_options(values);
    diffseg::Layers layers;
    for (Index i = values.within(0, 3); i > 0; --i) layers.push_back(make_layer(values));
    diffseg::Segmentation<float> done;
    diffseg::segment(layers, options, done);
    check(done.labels, options);
    finish(done, values);
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
