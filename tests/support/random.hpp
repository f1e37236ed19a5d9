// SPDX-License-Identifier: MIT
// Random attention for laws: nothing about it is symmetric, square or a power of two by itself.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <diffseg/data/layer.hpp>
#include <diffseg/data/maps.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace support {

using diffseg::GridSize;
using diffseg::Index;
using diffseg::Layer;
using diffseg::Maps;
using diffseg::Matrix;

/// Numbers that a failing test can repeat: DIFFSEG_TEST_SEED replaces the seed. A test that uses
/// one says `INFO(random.note())`.
class Random {
 public:
  explicit Random(std::uint64_t seed) : seed_(seed) {
    if (const char* const wanted = std::getenv("DIFFSEG_TEST_SEED")) {
      seed_ = std::strtoull(wanted, nullptr, 10);
    }
    engine_.seed(seed_);
  }
  [[nodiscard]] std::string note() const { return "seed " + std::to_string(seed_); }
  /// In [low, high).
  double uniform(double low = 0, double high = 1) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }
  /// In [low, high].
  Index integer(Index low, Index high) {
    return low + static_cast<Index>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  /// Mean 0, variance 1, at most 6 either way (Irwin-Hall).
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }
  GridSize grid(Index low, Index high) { return {integer(low, high), integer(low, high)}; }

 private:
  std::uint64_t seed_;
  std::mt19937_64 engine_;
};

/// Attention [heads, queries, keys], numbers exp(contrast * normal), rows of sum 1; Element is
/// float, double, Eigen::half or Eigen::bfloat16.
template <class Element>
Layer random_layer(Random& random, Index heads, GridSize queries, GridSize keys,
                   double contrast = 1) {
  const Index count = keys.cells();
  std::vector<Element> values;
  values.reserve(static_cast<std::size_t>(heads * queries.cells() * count));
  std::vector<double> row(static_cast<std::size_t>(count));
  for (Index i = 0; i < heads * queries.cells(); ++i) {
    double sum = 0;
    for (double& value : row) sum += value = std::exp(contrast * random.normal());
    for (const double value : row) values.push_back(static_cast<Element>(value / sum));
  }
  return Layer::owning(std::move(values), heads, queries, keys);
}

/// Rows [count x cells] of sum 1 around `clusters` prototypes: within a cluster the divergence is
/// about spread^2 and across clusters about contrast^2 more.
template <class Scalar>
Matrix<Scalar> random_rows(Random& random, Index count, Index cells, Index clusters = 4,
                           double spread = 0.5, double contrast = 1) {
  Matrix<double> prototypes(clusters, cells);
  for (double& value : prototypes.reshaped()) value = contrast * random.normal();
  Matrix<double> rows(count, cells);
  for (Index row = 0; row < count; ++row) {
    const Index cluster = random.integer(0, clusters - 1);
    for (Index i = 0; i < cells; ++i) {
      rows(row, i) = std::exp(prototypes(cluster, i) + spread * random.normal());
    }
    rows.row(row) /= rows.row(row).sum();
  }
  return rows.cast<Scalar>();
}

/// Maps of random_rows.
template <class Scalar>
Maps<Scalar> random_maps(Random& random, GridSize grid, Index clusters = 4, double spread = 0.5,
                         double contrast = 1) {
  return {grid,
          random_rows<Scalar>(random, grid.cells(), grid.cells(), clusters, spread, contrast)};
}

}  // namespace support
