// SPDX-License-Identifier: MIT
// Aggregator: what Aggregate does, one layer at a time.
#pragma once

#include <utility>

#include "diffseg/attention/detail/layer_sums.hpp"
#include "diffseg/attention/layer_parts.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/data/layer.hpp"
#include "diffseg/data/maps.hpp"

namespace diffseg {

/// Takes layers as a model makes them, so that no two must be kept: add() each, then finish(). The
/// maps are those of Aggregate on all of them at once, bit for bit. Holds one sum for each pair of
/// grids; layers on the working grid are added up in the maps themselves.
template <class Scalar = float>
class Aggregator {
 public:
  /// `grid`: the working grid; `floor`: the smallest number of a map, in [1e-37, 1e-3].
  explicit Aggregator(GridSize grid, double floor = 1e-30) : grid_(grid), floor_(floor) {
    detail::check_working_grid(grid, "Aggregator");
    detail::check_floor(floor, "Aggregator");
    sums_.start(grid);
  }

  /// Adds a layer, weighted by the side of its query grid; needed no longer afterwards. Errors:
  /// std::invalid_argument for what Aggregate refuses; what was added before is lost then, and
  /// every further call refused.
  void add(const Layer& layer) { add(layer, detail::side_weight(layer), false); }

  /// The same with a weight >= 0, used as given: all must be given, and sum to 1.
  void add(const Layer& layer, double weight) {
    detail::check_weight(weight, "Aggregator");
    add(layer, weight, true);
  }

  /// Layers added since the start or the last finish().
  [[nodiscard]] std::size_t count() const { return count_; }

  /// -> Maps [T x T] of the layers added; ready for those of the next image. Errors:
  /// std::invalid_argument for no layer, given weights that do not sum to 1.
  [[nodiscard]] Maps<Scalar> finish() {
    check_unbroken();
    detail::require(count_ > 0 && total_ > 0,
                    "Aggregator: layers must be added before finish, got ", count_);
    if (given_) detail::check_weight_sum(total_, "Aggregator");
    const detail::ProfileScope scope("Aggregator");
    Maps<Scalar> maps = sums_.finish(given_ ? 1.0 : 1 / total_, floor_);
    count_ = 0;
    total_ = 0;
    return maps;
  }

 private:
  void add(const Layer& layer, double weight, bool given) {
    check_unbroken();
    detail::check_layer(layer, count_, "Aggregator");
    detail::require(count_ == 0 || given == given_,
                    "Aggregator: weights must be given for all layers or for none, got one ",
                    given ? "at layer " : "missing at layer ", count_);
    const detail::ProfileScope scope("Aggregator", detail::layer_bytes(layer));
    broken_ = true;
    sums_.add(layer, count_, weight, "Aggregator");
    broken_ = false;
    given_ = given;
    total_ += weight;
    ++count_;
  }

  void check_unbroken() const {
    detail::require(!broken_,
                    "Aggregator: a layer was refused halfway, start again with a new Aggregator");
  }

  GridSize grid_;
  double floor_;
  detail::LayerSums<Scalar> sums_;
  std::size_t count_ = 0;
  double total_ = 0;
  bool given_ = false;
  bool broken_ = false;
};

}  // namespace diffseg
