// SPDX-License-Identifier: MIT
// What Sweep finds, and Choose takes.
#pragma once

#include "diffseg/core/types.hpp"

namespace diffseg {

/// The partition of the cells that one threshold gives, in figures: X is a cell, Y the cell that
/// its map points at, T the segment of the cell.
struct SweepPoint {
  double threshold = 0;    ///< nats, the same in every iteration of Merge
  Index segments = 0;      ///< proposals that are the largest at some cell
  double information = 0;  ///< I(T; Y) / I(X; Y): what the segments still tell of the maps, 0..1
  double entropy = 0;      ///< H(T), nats: how finely the cells are divided, 0 .. ln segments
  double score = 0;        ///< information - lambda * entropy
};

}  // namespace diffseg
