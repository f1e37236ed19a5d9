// SPDX-License-Identifier: MIT
// Photos, and segment() as a whole, beside plain loops.
#include <compiled/double.hpp>
#include <diffseg/photo/downsample.hpp>
#include <utility>

#include "trust/layers.hpp"
#include "trust/plain/attention.hpp"
#include "trust/plain/merge.hpp"
#include "trust/plain/photo.hpp"

namespace trust {
namespace {

using namespace diffseg;

/// Rectangles of colours with noise.
template <class Scalar>
Image<Scalar> random_photo(Case& test, GridSize size) {
  const Index channels = test.any<Index>({1, 3});
  Image<Scalar> photo(size, channels, std::vector<Scalar>(at(size.cells() * channels)));
  const double noise = test.any({0.0, 0.05, 0.5});
  test.describe("photo ", size, ", ", channels, " channels, noise ", noise);
  std::array<double, 12> colours{};
  for (double& colour : colours) colour = test.random.uniform();
  const Index row = test.random.integer(1, size.height);
  const Index column = test.random.integer(1, size.width);
  for (Index i = 0; i < size.cells(); ++i) {
    const Index part = (i / size.width >= row ? 2 : 0) + (i % size.width >= column ? 1 : 0);
    for (Index c = 0; c < channels; ++c) {
      const double value = colours[at(3 * part + c)] + noise * (test.random.uniform() - 0.5);
      photo.values[at(i * channels + c)] = static_cast<Scalar>(std::clamp(value, 0.0, 1.0));
    }
  }
  return photo;
}

template <class Scalar>
void run_photo(Case& test) {
  const auto photo = random_photo<Scalar>(test, test.grid(900));
  const DownsamplePhoto stage{test.grid(900)};
  test.describe("to ", stage.size);
  Image<Scalar> found;
  stage(photo, found);
  const GridSize to{std::min(photo.size.height, stage.size.height),
                    std::min(photo.size.width, stage.size.width)};
  test.same("the size", 0, found.size, to);
  const plain::Table rows = plain::mean(photo.size.height, to.height);
  const plain::Table columns = plain::mean(photo.size.width, to.width);
  const auto taps =
      static_cast<double>(photo.size.height / to.height + photo.size.width / to.width + 8);
  for (Index c = 0; c < photo.channels; ++c) {
    diffseg::detail::Buffer<double> plane(photo.size.cells());
    for (Index i = 0; i < plane.size(); ++i) {
      plane[i] = static_cast<double>(photo.values[at(i * photo.channels + c)]);
    }
    const auto expected = plain::resampled(plane, rows, columns);
    for (Index i = 0; i < expected.size(); ++i) {
      test.within("a colour", i, static_cast<double>(found.values[at(i * photo.channels + c)]),
                  expected[i], both<Scalar> * taps * expected[i]);
    }
  }
}

template <class Scalar>
void run_affinity(Case& test) {
  const auto photo = random_photo<Scalar>(test, test.grid(10000));
  Affinity stage;
  stage.cells = test.random.integer(64, 200);
  test.describe("cells ", stage.cells);
  const GridSize grid = stage.grid_for(photo.size);
  test.holds("sides that are multiples of 8", 0, grid.height % 8 == 0 && grid.width % 8 == 0);
  Layers layers;
  stage(photo, layers);
  test.same("layers", 0, layers.size(), std::size_t{4});
  const std::vector<double> values(photo.values.begin(), photo.values.end());
  auto features = plain::features(
      plain::lab_canvas(values, photo.size, photo.channels, {8 * grid.height, 8 * grid.width}),
      grid);
  plain::smooth(features, grid);
  for (Index level = 0; level < 4; ++level) {
    const auto expected = plain::attention(features, grid, Index{1} << level);
    const Layer& layer = layers[at(level)];
    test.same("the cells", level, layer.queries.cells(), expected.rows.rows());
    for (Index query = 0; query < expected.rows.rows(); ++query) {
      const auto row = plain::dense_row(layer, 0, query).value;
      for (Index key = 0; key < row.size(); ++key) {
        // L, up to 100, comes from a logarithm and a power: some 16 epsilons of it, which features
        // scale by at most 0.5 * 2.3 * 1.8. Twelve of them make a distance.
        const double distance = std::sqrt(2 * expected.logits(query, key));
        const double logit = 16 * 100 * 2.1 * (distance + 1) * std::sqrt(12.0);
        const double value = expected.rows(query, key);
        test.within("a number", query, row[key], value,
                    both<Scalar> * value * (2 * logit + 16 + static_cast<double>(row.size())));
      }
    }
  }
}

/// The largest error of a map's numbers, in epsilons of them.
double largest_error(const plain::PlainMaps& maps) {
  return (maps.error.array() / maps.value.array()).maxCoeff();
}

/// What a stage of anchors and thresholds makes of maps, plainly.
template <class Scalar>
plain::Merged merged(const plain::PlainMaps& maps, GridSize grid, const SegmentOptions& options) {
  const auto anchors = plain::anchors(grid, options.compare.anchors,
                                      options.compare.placement == Compare::Placement::published);
  const double relative = largest_error(maps);
  const auto& thresholds = options.merge.thresholds;
  plain::Sets sets(anchors.size());
  bool undecided = false;
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    for (Index row = 0; row < grid.cells(); ++row) {
      const auto one =
          plain::divergence(maps.value.data() + anchors[i] * grid.cells(),
                            maps.value.data() + row * grid.cells(), grid.cells(), relative);
      if (one.value < thresholds.front()) sets[i].push_back(row);
      undecided |=
          row != anchors[i] && std::abs(one.value - thresholds.front()) <= both<Scalar> * one.error;
    }
  }
  auto result = plain::merge(maps.value, sets, thresholds, both<Scalar>, relative);
  result.undecided |= undecided;
  return result;
}

template <class Scalar>
void run_segment(Case& test) {
  const Made made = random_layers(test, 64);
  SegmentOptions options;
  options.aggregate.floor = test.any({1e-30, 1e-9});
  options.aggregate.sample = test.chance(0.3);
  const GridSize grid = test.grid(64);
  options.aggregate.grid = grid;
  options.compare.anchors = {test.random.integer(1, grid.height),
                             test.random.integer(1, grid.width)};
  options.compare.placement =
      test.any({Compare::Placement::published, Compare::Placement::cell_centred});
  options.merge.thresholds.assign(at(test.random.integer(1, 3)), test.random.uniform(0.01, 1.5));
  options.assign.size = test.grid(400);
  options.assign.ids = Assign::Ids::reference;
  test.describe("working grid ", grid, ", anchors ", options.compare.anchors, ", ",
                options.merge.thresholds.size(), " thresholds of ",
                options.merge.thresholds.front(), ", size ", options.assign.size);
  const Labels labels = segment<Scalar>(made.layers, options);
  std::vector<double> weights;
  double sum = 0;
  for (const Layer& layer : made.layers) {
    weights.push_back(std::sqrt(static_cast<double>(layer.queries.cells())));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  const auto maps = plain::aggregate(
      made.layers, {grid, weights, options.aggregate.floor, options.aggregate.sample},
      epsilon<double> / epsilon<Scalar>);
  const auto expected = merged<Scalar>(maps, grid, options);
  if (expected.undecided) return test.undecided();
  test.same("proposals", 0, labels.count(), expected.rows.rows());
  const plain::Table rows = plain::bilinear(grid.height, options.assign.size.height);
  const plain::Table columns = plain::bilinear(grid.width, options.assign.size.width);
  Matrix<double> planes(expected.rows.rows(), options.assign.size.cells());
  for (Index k = 0; k < planes.rows(); ++k) {
    planes.row(k) = plain::resampled(expected.rows.row(k).transpose().array(), rows, columns)
                        .matrix()
                        .transpose();
  }
  for (Index pixel = 0; pixel < planes.cols(); ++pixel) {
    Index best = 0;
    const double most = planes.col(pixel).maxCoeff(&best);
    const Index found = labels.values[at(pixel)];
    const double bound =
        2 * both<Scalar> * (expected.relative + 6) * most +
        16 * epsilon<double> * static_cast<double>(grid.cells()) * expected.rows.maxCoeff();
    test.within("the largest proposal", pixel, planes(found, pixel), most, bound);
    if (found != best) test.undecided();
  }
}

}  // namespace

std::vector<Stage> whole_stages() {
  return {
      {"downsample_photo", "(cells covered + 8) epsilon",
       either<run_photo<float>, run_photo<double>>},
      {"affinity", "16 epsilons of L = 100, and what distances and powers make of them",
       either<run_affinity<float>, run_affinity<double>>},
      {"segment",
       "proposals as large as the largest, by the errors of all stages; undecided: some "
       "divergence, or another proposal as large",
       either<run_segment<float>, run_segment<double>>},
  };
}

}  // namespace trust
