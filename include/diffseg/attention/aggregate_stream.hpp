// SPDX-License-Identifier: MIT
// AggregateStream: what Aggregate does, one layer at a time.
#pragma once

#include <utility>

#include "diffseg/attention/detail/layer_sums.hpp"
#include "diffseg/core/profile.hpp"

namespace diffseg {

/// Takes layers as a model makes them, so that no two must be kept: add() each, then finish(). The
/// maps are those of Aggregate on all of them at once, bit for bit. Holds one sum for each pair of
/// grids; layers on the working grid are added up in the maps themselves.
template <class Scalar = float>
class AggregateStream {
 public:
  /// `grid`: the working grid; `floor`: the smallest number of a map, in [1e-37, 1e-3].
  explicit AggregateStream(GridSize grid, double floor = 1e-30) : grid_(grid), floor_(floor) {
    Maps<Scalar>::check_grid(grid, stage);
    detail::check_floor(floor, stage);
    sums_.start(grid);
  }

  /// Adds a layer, weighted by the side of its query grid; needed no longer afterwards. Errors:
  /// std::invalid_argument for what Aggregate refuses. What was added before is lost after an
  /// exception that came while the layer was read, and every further call refused until clear().
  void add(const Layer& layer) {
    layer.check(stage, count_);
    add_checked(layer, detail::side_weight(layer), false);
  }

  /// The same with a weight >= 0, used as given: all must be given, and sum to 1.
  void add(const Layer& layer, double weight) {
    layer.check(stage, count_);
    detail::check_weight(weight, stage);
    add_checked(layer, weight, true);
  }

  /// Layers added since the start or the last finish().
  [[nodiscard]] Index count() const { return count_; }

  /// Forgets what was added, and that a layer was refused.
  void clear() {
    sums_.start(grid_);
    count_ = 0;
    total_ = 0;
    broken_ = false;
  }

  /// -> Maps [T x T] of the layers added; ready for those of the next image. Errors:
  /// std::invalid_argument for no layer, given weights that do not sum to 1.
  [[nodiscard]] Maps<Scalar> finish();

  /// The same into `maps`, whose storage goes to the next image if no one else holds it: a loop
  /// over images allocates nothing large. After an exception the maps are empty.
  void finish(Maps<Scalar>& maps) {
    Maps<Scalar> kept = std::exchange(maps, {});
    maps = finish();
    sums_.start(grid_, std::move(kept));
  }

 private:
  static constexpr const char* stage = "AggregateStream";

  void add_checked(const Layer& layer, double weight, bool given);

  void check_unbroken() const {
    detail::require(!broken_, stage,
                    ": a layer was refused halfway, start again with clear() or a new stream");
  }

  GridSize grid_;
  double floor_;
  detail::LayerSums<Scalar> sums_;
  Index count_ = 0;
  double total_ = 0;
  bool given_ = false;
  bool broken_ = false;
};

template <class Scalar>
Maps<Scalar> AggregateStream<Scalar>::finish() {
  check_unbroken();
  detail::require(count_ > 0 && total_ > 0, stage, ": layers must be added before finish, got ",
                  count_);
  if (given_) detail::check_weight_sum(total_, stage);
  const detail::ProfileScope scope(stage);
  broken_ = true;
  Maps<Scalar> maps = sums_.finish(given_ ? 1.0 : 1 / total_, floor_);
  clear();
  return maps;
}

template <class Scalar>
void AggregateStream<Scalar>::add_checked(const Layer& layer, double weight, bool given) {
  check_unbroken();
  detail::require(count_ == 0 || given == given_, stage,
                  ": weights must be given for all layers or for none, got one ",
                  given ? "at layer " : "missing at layer ", count_);
  const detail::ProfileScope scope(stage, layer.bytes());
  broken_ = true;
  sums_.add({&layer, count_, stage}, weight);
  broken_ = false;
  given_ = given;
  total_ += weight;
  ++count_;
}

}  // namespace diffseg
