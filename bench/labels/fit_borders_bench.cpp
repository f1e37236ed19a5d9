// SPDX-License-Identifier: MIT
#include <algorithm>
#include <diffseg/labels/fit_borders.hpp>
#include <diffseg/labels/tidy.hpp>
#include <string>
#include <vector>

#include "../support/attention.hpp"
#include "../support/memory.hpp"
#include "../support/regions.hpp"
#include "../support/run.hpp"

namespace {

using bench::GridSize;
using bench::Index;

/// `count` labels: the discs, and bands of them.
diffseg::Labels some_labels(GridSize size, Index count) {
  diffseg::Labels labels = diffseg::Tidy{.min_area = 0.002}(bench::discs(size));
  const Index bands = (count + labels.count() - 1) / labels.count();
  for (Index pixel = 0; pixel < size.cells(); ++pixel) {
    auto& label = labels.values[static_cast<std::size_t>(pixel)];
    const Index band = pixel / size.width * bands / size.height;
    label = static_cast<std::int32_t>((label + band * labels.count()) % count);
  }
  labels.proposals.resize(static_cast<std::size_t>(count));
  return labels;
}

/// The mean of each pixel's 17 x 17, by plain sums in double.
diffseg::Matrix<double> box_mean(const diffseg::Matrix<double>& in) {
  const auto turn = [](const diffseg::Matrix<double>& from) {
    diffseg::Matrix<double> out = diffseg::Matrix<double>::Zero(from.cols(), from.rows());
    const Index last = from.cols() - 1;
    for (Index x = 0; x <= last; ++x) {
      for (Index d = -8; d <= 8; ++d) {
        const Index there = std::abs(x + d);
        out.row(x) += from.col(there > last ? 2 * last - there : there).transpose();
      }
    }
    return out;
  };
  return turn(turn(in)) / 289;
}

/// The same filter of each whole mask, one after the other.
std::vector<std::int32_t> filter_all(const diffseg::Labels& labels,
                                     const diffseg::Image<float>& photo) {
  using Plane = diffseg::Matrix<double>;
  std::vector<float> light(labels.values.size());
  diffseg::detail::lightness(photo.values.data(), labels.size.cells(), photo.channels,
                             light.data());
  const Plane guide =
      Eigen::Map<const diffseg::Matrix<float>>(light.data(), labels.size.height, labels.size.width)
          .cast<double>();
  const Plane mean = box_mean(guide);
  const Plane variance = box_mean(guide.cwiseProduct(guide)) - mean.cwiseProduct(mean);
  std::vector<std::int32_t> winners(light.size(), 0);
  Plane best = Plane::Constant(guide.rows(), guide.cols(), -1e300);
  for (std::int32_t label = 0; label < labels.count(); ++label) {
    Plane mask = Plane::Zero(guide.rows(), guide.cols());
    for (Index i = 0; i < mask.size(); ++i) {
      if (labels.values[static_cast<std::size_t>(i)] == label) mask.data()[i] = 1;
    }
    const Plane share = box_mean(mask);
    const Plane slope = (box_mean(guide.cwiseProduct(mask)) - mean.cwiseProduct(share)).array() /
                        (variance.array() + 1e-3);
    const Plane offset = share - slope.cwiseProduct(mean);
    const Plane value = box_mean(slope).cwiseProduct(guide) + box_mean(offset);
    for (Index i = 0; i < value.size(); ++i) {
      if (value.data()[i] > best.data()[i]) winners[static_cast<std::size_t>(i)] = label;
    }
    best = best.cwiseMax(value);
  }
  return winners;
}

/// Bytes are those of the photo and of labels in and out.
void fit_borders(benchmark::State& state) {
  const GridSize size{state.range(1), state.range(1) * 3 / 2};
  const auto photo = bench::synthetic_photo(size);
  const auto labels = some_labels(size, state.range(2));
  std::string complaint;
  if (size.cells() < 1'000'000) {
    const auto expected = filter_all(labels, photo);
    const auto found = diffseg::FitBorders{.min_area = 0}(labels, photo).values;
    Index differ = 0;
    for (std::size_t i = 0; i < found.size(); ++i) differ += found[i] != expected[i] ? 1 : 0;
    if (differ * 2000 > size.cells()) complaint = "labels differ from those of whole masks";
    if (found == labels.values) complaint = "no label changed";
  }
  const diffseg::FitBorders stage;
  const double peak = bench::peak_bytes([&] { (void)stage(labels, photo); });
  diffseg::Labels out;
  diffseg::Workspace workspace;
  bench::run(state, complaint, size.cells() * Index{20}, 0,
             [&] { stage(labels, photo, out, workspace); });
  state.counters["planes"] = peak / (4.0 * static_cast<double>(size.cells()));
}

BENCHMARK(fit_borders)
    ->ArgNames({"threads", "height", "labels"})
    ->ArgsProduct({{1, 2}, {320}, {7}})
    ->ArgsProduct({{1, 2}, {4000}, {20}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
