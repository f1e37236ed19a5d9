// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <diffseg/labels/fit_borders.hpp>
#include <limits>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"
#include "support/same.hpp"

using namespace diffseg;
using support::complaint;
using support::Random;
using support::same;

namespace {

template <class Label>
Labels make_labels(GridSize size, const Label& label) {
  Labels labels{size, {}, {}};
  for (Index y = 0; y < size.height; ++y) {
    for (Index x = 0; x < size.width; ++x) {
      labels.values.push_back(static_cast<std::int32_t>(label(y, x)));
    }
  }
  const auto most = *std::max_element(labels.values.begin(), labels.values.end());
  labels.proposals.resize(static_cast<std::size_t>(most) + 1);
  std::iota(labels.proposals.begin(), labels.proposals.end(), 10);
  return labels;
}

template <class Scalar = float, class Value>
Image<Scalar> grey_photo(GridSize size, const Value& value) {
  Image<Scalar> photo(size, 1, {});
  for (Index y = 0; y < size.height; ++y) {
    for (Index x = 0; x < size.width; ++x) {
      photo.values.push_back(static_cast<Scalar>(value(y, x)));
    }
  }
  return photo;
}

/// Half-planes and discs over each other.
Labels random_shapes(Random& random, GridSize size, Index count) {
  Labels labels = make_labels(size, [](Index, Index) { return 0; });
  for (Index label = 1; label < count; ++label) {
    const double y = random.uniform(0, static_cast<double>(size.height));
    const double x = random.uniform(0, static_cast<double>(size.width));
    const double radius = random.uniform(1, 40);
    for (Index i = 0; i < size.cells(); ++i) {
      const double dy = static_cast<double>(i / size.width) - y;
      const double dx = static_cast<double>(i % size.width) - x;
      const bool inside = label % 3 == 0 ? 2 * dy + dx > 0 : dy * dy + dx * dx < radius * radius;
      if (inside) labels.values[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(label);
    }
  }
  labels.proposals.resize(static_cast<std::size_t>(count));
  std::iota(labels.proposals.begin(), labels.proposals.end(), 3);
  return labels;
}

/// Waves of colour with noise on them.
template <class Scalar = float>
Image<Scalar> random_photo(Random& random, GridSize size, Index channels) {
  Image<Scalar> photo(size, channels, {});
  const double period = random.uniform(3, 30);
  const double noise = random.uniform(0, 0.3);
  for (Index i = 0; i < size.cells() * channels; ++i) {
    const double y = static_cast<double>(i / channels / size.width);
    const double x = static_cast<double>(i / channels % size.width);
    const double wave =
        std::sin(y / period + static_cast<double>(i % channels)) * std::cos(x / period);
    photo.values.push_back(static_cast<Scalar>(
        std::clamp(0.5 + 0.3 * wave + noise * random.uniform(-1, 1), 0.0, 1.0)));
  }
  return photo;
}

Index mirrored(Index i, Index count) {
  while (count > 1 && (i < 0 || i >= count)) i = i < 0 ? -i : 2 * (count - 1) - i;
  return count == 1 ? 0 : i;
}

/// The mean of each pixel's window.
Matrix<double> box_means(const Matrix<double>& in, Index radius) {
  const auto turn = [&](const Matrix<double>& from) {
    Matrix<double> out = Matrix<double>::Zero(from.cols(), from.rows());
    for (Index y = 0; y < from.rows(); ++y) {
      for (Index x = 0; x < from.cols(); ++x) {
        for (Index d = -radius; d <= radius; ++d)
          out(x, y) += from(y, mirrored(x + d, from.cols()));
      }
    }
    return out;
  };
  const auto side = static_cast<double>(2 * radius + 1);
  return turn(turn(in)) / (side * side);
}

/// L / 100 in steps of 1 / 4096.
Matrix<double> guide_of(const Image<double>& photo) {
  std::vector<float> light(static_cast<std::size_t>(photo.size.cells()));
  detail::lightness(photo.values.data(), photo.size.cells(), photo.channels, light.data());
  Matrix<double> guide(photo.size.height, photo.size.width);
  for (Index i = 0; i < guide.size(); ++i) {
    guide.data()[i] = std::round(light[static_cast<std::size_t>(i)] * 4096.0F) / 4096;
  }
  return guide;
}

/// All masks filtered, plainly and in double: [label] of [H, W].
std::vector<Matrix<double>> filtered_masks(const Labels& labels, const Matrix<double>& guide,
                                           const FitBorders& stage) {
  const auto box = [&](const Matrix<double>& in) { return box_means(in, stage.radius); };
  const Matrix<double> mean = box(guide);
  const Matrix<double> variance = box(guide.cwiseProduct(guide)) - mean.cwiseProduct(mean);
  std::vector<Matrix<double>> masks;
  for (Index label = 0; label < labels.count(); ++label) {
    Matrix<double> mask(guide.rows(), guide.cols());
    for (Index i = 0; i < mask.size(); ++i) {
      mask.data()[i] = labels.values[static_cast<std::size_t>(i)] == label ? 1 : 0;
    }
    const Matrix<double> share = box(mask);
    const Matrix<double> slope =
        (box(guide.cwiseProduct(mask)) - mean.cwiseProduct(share)).array() /
        (variance.array() + stage.epsilon);
    const Matrix<double> offset = share - slope.cwiseProduct(mean);
    masks.push_back(box(slope).cwiseProduct(guide) + box(offset));
  }
  return masks;
}

}  // namespace

TEST_CASE("FitBorders moves a border onto an edge of the photo", "[unit]") {
  const GridSize size{40, 50};
  const auto photo = grey_photo(size, [](Index, Index x) { return x < 25 ? 0.2 : 0.8; });
  const auto edge = make_labels(size, [](Index, Index x) { return x < 25 ? 0 : 1; });
  for (const Index off : {-3, -1, 0, 2, 3}) {
    const auto labels = make_labels(size, [&](Index, Index x) { return x < 25 + off ? 0 : 1; });
    CHECK(same(FitBorders{}(labels, photo), edge));
  }
}

TEST_CASE("FitBorders leaves a straight border in a flat photo", "[unit]") {
  const GridSize size{140, 150};
  const auto photo = grey_photo(size, [](Index, Index) { return 0.37; });
  const auto upright = make_labels(size, [](Index, Index x) { return x < 61 ? 0 : 1; });
  CHECK(same(FitBorders{}(upright, photo), upright));
  const auto level = make_labels(size, [](Index y, Index) { return y < 129 ? 1 : 0; });
  CHECK(same(FitBorders{}(level, photo), level));
  // An oblique one moves by a pixel at most, where the photo's edges do not bend it.
  for (const double slope : {0.3, 1.0, -2.5}) {
    const auto side = [&](Index y, Index x) {
      return slope * (static_cast<double>(x) - 75.2) > static_cast<double>(y) - 70.4;
    };
    const auto labels = make_labels(size, side);
    const Labels fitted = FitBorders{}(labels, photo);
    for (Index y = 40; y < 100; ++y) {
      for (Index x = 40; x < 110; ++x) {
        const auto i = static_cast<std::size_t>(y * size.width + x);
        const bool near = side(y, x - 1) != side(y, x + 1) || side(y - 1, x) != side(y + 1, x);
        if (!near) REQUIRE(fitted.values[i] == labels.values[i]);
      }
    }
  }
}

TEST_CASE("FitBorders gives small regions away and keeps all ids", "[unit]") {
  const GridSize size{40, 40};
  const auto photo = grey_photo(
      size, [](Index y, Index x) { return x >= 20 && x < 24 && y >= 20 && y < 24 ? 0.9 : 0.1; });
  // 16 pixels of label 1, framed by an edge, in label 2; 0 has none.
  const auto labels = make_labels(
      size, [](Index y, Index x) { return x >= 20 && x < 24 && y >= 20 && y < 24 ? 1 : 2; });
  CHECK(same(FitBorders{.min_area = 0}(labels, photo), labels));
  CHECK(same(FitBorders{.min_area = 16.0 / 1600}(labels, photo), labels));
  const Labels gone = FitBorders{.min_area = 17.0 / 1600}(labels, photo);
  CHECK(std::count(gone.values.begin(), gone.values.end(), 2) == size.cells());
  CHECK(gone.proposals == labels.proposals);
}

TEST_CASE("FitBorders refuses what makes no sense", "[unit]") {
  const auto labels = make_labels({3, 4}, [](Index, Index x) { return x % 2; });
  const auto photo = grey_photo({3, 4}, [](Index, Index) { return 0.5; });
  const auto refusal = [](const FitBorders& stage, const Labels& l, const Image<float>& p) {
    return complaint([&] { (void)stage(l, p); });
  };
  CHECK(refusal({.radius = 0}, labels, photo) == "FitBorders: radius must be in 1..16, got 0");
  CHECK(refusal({.radius = 17}, labels, photo) == "FitBorders: radius must be in 1..16, got 17");
  CHECK(refusal({.epsilon = 1e-7}, labels, photo) ==
        "FitBorders: epsilon must be in 1e-6..1, got 1e-07");
  CHECK(refusal({.epsilon = 2}, labels, photo) == "FitBorders: epsilon must be in 1e-6..1, got 2");
  CHECK(refusal({.min_area = -1}, labels, photo) == "FitBorders: min_area must be in 0..1, got -1");
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), HUGE_VAL}) {
    CHECK(refusal({.epsilon = bad}, labels, photo) != "no error");
    CHECK(refusal({.min_area = bad}, labels, photo) != "no error");
  }
  CHECK(refusal({}, labels, grey_photo({4, 3}, [](Index, Index) { return 0.5; })) ==
        "FitBorders: labels and photo must have one size, got 3 x 4 and 4 x 3");
  CHECK(refusal({}, Labels{}, Image<float>{}) != "no error");
  auto broken = labels;
  broken.values.back() = 2;
  CHECK(refusal({}, broken, photo) == "FitBorders: labels must be in 0..1, got 2");
  auto bright = photo;
  bright.values[7] = 1.5F;
  CHECK(refusal({}, labels, bright) == "FitBorders: the photo's numbers must be in 0..1, got 1.5");
  bright.values[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK(refusal({}, labels, bright) != "no error");
}

TEST_CASE("FitBorders takes the largest of the filtered masks", "[unit][law]") {
  Random random(642);
  INFO(random.note());
  const GridSize sizes[] = {{1, 1}, {1, 30}, {25, 1}, {2, 3}, {9, 40}, {61, 47}, {140, 131}};
  for (int repeat = 0; repeat < 21; ++repeat) {
    const GridSize size = sizes[repeat % 7];
    const FitBorders stage{.radius = repeat < 7 ? 8 : random.integer(1, 16),
                           .epsilon = repeat < 7 ? 1e-3 : std::pow(10, random.uniform(-4, -1)),
                           .min_area = 0};
    const auto photo = random_photo<double>(random, size, repeat % 2 == 0 ? 3 : 1);
    const Labels labels = random_shapes(random, size, random.integer(1, 7));
    const Labels fitted = stage(labels, photo);
    const auto masks = filtered_masks(labels, guide_of(photo), stage);
    CAPTURE(size.height, size.width, stage.radius, stage.epsilon);
    // Slopes and offsets in steps of 1 / unit, sums of them in float.
    const double unit = detail::GuidedFilter(stage.radius, stage.epsilon).unit;
    const double near = 2 / unit + 1e-6 / std::sqrt(stage.epsilon);
    Index differ = 0;
    for (Index i = 0; i < size.cells(); ++i) {
      double best = -1e300;
      for (const auto& mask : masks) best = std::max(best, mask.data()[i]);
      const auto label = static_cast<std::size_t>(fitted.values[static_cast<std::size_t>(i)]);
      REQUIRE(masks[label].data()[i] >= best - near);
      differ += masks[label].data()[i] < best ? 1 : 0;
    }
    CHECK(differ * 500 <= size.cells());
  }
}

TEST_CASE("FitBorders keeps its promises on random labels", "[unit][law]") {
  Random random(643);
  INFO(random.note());
  for (int repeat = 0; repeat < 20; ++repeat) {
    const GridSize size{random.integer(1, 290), random.integer(1, 150)};
    const FitBorders stage{.radius = random.integer(1, 6), .min_area = 0};
    const auto photo = random_photo(random, size, repeat % 2 == 0 ? 3 : 1);
    const Labels labels = random_shapes(random, size, random.integer(1, 9));
    const Labels fitted = stage(labels, photo);
    REQUIRE(fitted.size == size);
    CHECK(fitted.proposals == labels.proposals);
    // A pixel's label is one of those within twice the radius.
    const Index reach = 2 * stage.radius;
    Index strangers = 0;
    for (int sample = 0; sample < 300; ++sample) {
      const Index y = random.integer(0, size.height - 1);
      const Index x = random.integer(0, size.width - 1);
      bool found = false;
      for (Index v = std::max<Index>(0, y - reach); v < std::min(size.height, y + reach + 1); ++v) {
        const auto row = labels.values.begin() + v * size.width;
        found =
            found || std::count(row + std::max<Index>(0, x - reach),
                                row + std::min(size.width, x + reach + 1),
                                fitted.values[static_cast<std::size_t>(y * size.width + x)]) > 0;
      }
      strangers += found ? 0 : 1;
    }
    CHECK(strangers == 0);

    Workspace workspace;
    Labels reused = random_shapes(random, {3, 3}, 2);
    stage(labels, photo, reused, workspace);
    CHECK(same(reused, fitted));
    stage(random_shapes(random, {40, 40}, 3), random_photo(random, {40, 40}, 1), reused, workspace);
    stage(labels, photo, reused, workspace);
    CHECK(same(reused, fitted));
    Labels in_place = labels;
    stage(in_place, photo, in_place);
    CHECK(same(in_place, fitted));
  }
}

TEST_CASE("FitBorders has the same bits for any number of threads", "[unit][law]") {
  Random random(644);
  INFO(random.note());
  for (const GridSize size : {GridSize{300, 410}, GridSize{130, 17}}) {
    const auto photo = random_photo(random, size, 3);
    const Labels labels = random_shapes(random, size, 8);
    Labels one;
    {
      const ThreadLimit limit(1);
      one = FitBorders{}(labels, photo);
    }
    CHECK_FALSE(one.values == labels.values);
    for (const int threads : {2, 3, 4, 8}) {
      const ThreadLimit limit(threads);
      CHECK(same(FitBorders{}(labels, photo), one));
    }
  }
}
