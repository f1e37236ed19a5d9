// SPDX-License-Identifier: MIT
#include <diffseg/attention/aggregate_cross.hpp>
#include <diffseg/labels/name.hpp>

#include "../support/cross.hpp"
#include "../support/regions.hpp"
#include "../support/run.hpp"

namespace {

using bench::Index;

/// The nouns that most pixels of each label vote for, pixel by pixel.
std::vector<Index> plain_votes(const diffseg::CrossMaps<float>& maps,
                               const diffseg::Labels& labels) {
  const Eigen::VectorXd norms = maps.values.cast<double>().rowwise().norm();
  diffseg::Matrix<Index> votes = diffseg::Matrix<Index>::Zero(labels.count(), norms.size());
  for (Index pixel = 0; pixel < maps.values.cols(); ++pixel) {
    Index best = 0;
    (maps.values.col(pixel).cast<double>().array() / norms.array()).maxCoeff(&best);
    ++votes(labels.values[static_cast<std::size_t>(pixel)], best);
  }
  std::vector<Index> names(static_cast<std::size_t>(labels.count()));
  for (Index label = 0; label < labels.count(); ++label) {
    votes.row(label).maxCoeff(&names[static_cast<std::size_t>(label)]);
  }
  return names;
}

/// Eight labels, four nouns; bytes are those of the cross-attention and the labels.
void name(benchmark::State& state) {
  const auto maps = diffseg::AggregateCross{.tokens = {2, 5, 6, 9}}(bench::coffee_cross());
  const auto labels = bench::discs(maps.size);
  const diffseg::Name stage{.nouns = {{"a", 2, 3}, {"b", 5, 6}, {"c", 6, 7}, {"d", 9, 10}}};
  diffseg::Names names = stage(maps, labels);
  bench::run(state, names.nouns == plain_votes(maps, labels) ? "" : "nouns differ from plain votes",
             (maps.values.size() + maps.values.cols()) * Index{4}, 0,
             [&] { stage(maps, labels, names); });
}

BENCHMARK(name)->Apply(bench::threads);

}  // namespace
