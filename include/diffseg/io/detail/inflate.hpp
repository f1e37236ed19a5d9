// SPDX-License-Identifier: MIT
// What unpacks deflated members of a .npz file, given to its reader so that this one needs no zlib.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

namespace diffseg {

/// How far a deflate stream was unpacked.
struct Inflated {
  std::size_t bytes = 0;  ///< written; one more than there was room for when the stream goes on
  bool ended = false;     ///< the stream ended, with the last byte that it was given
};

/// Unpacks the raw deflate stream (RFC 1951) `from` until it ends, is damaged, or `to` is full.
using Inflate = std::function<Inflated(std::span<const std::byte> from, std::span<std::byte> to)>;

}  // namespace diffseg
