// SPDX-License-Identifier: MIT
// Rows of samples as decoders hand them over -> an upright photo: any size, orientation, shrinking
// and interlacing.
#include <array>
#include <cmath>

#include "fuzz.hpp"
#include "photo_rows.hpp"
#include "values.hpp"

namespace {

using diffseg::GridSize;
using diffseg::Image;
using diffseg::Index;

/// A picture as a decoder has it.
template <class Sample>
struct Stored {
  GridSize size;
  Index samples;
  std::vector<Sample> values;

  std::span<const Sample> row(Index y) const {
    return std::span(values).subspan(static_cast<std::size_t>(y * size.width * samples),
                                     static_cast<std::size_t>(size.width * samples));
  }
};

/// First row, row step, first column, column step of the passes of an interlaced PNG.
constexpr std::array<std::array<Index, 4>, 7> passes{{{0, 8, 0, 8},
                                                      {0, 8, 4, 8},
                                                      {4, 8, 0, 4},
                                                      {0, 4, 2, 4},
                                                      {2, 4, 0, 2},
                                                      {0, 2, 1, 2},
                                                      {1, 2, 0, 1}}};

template <class Sample>
void add_interlaced(const Stored<Sample>& stored, cli::PhotoRows& rows) {
  std::vector<Sample> line;
  for (const auto& [first_row, row_step, first, step] : passes) {
    for (Index y = first_row; y < stored.size.height && first < stored.size.width; y += row_step) {
      line.clear();
      for (Index x = first; x < stored.size.width; x += step) {
        const auto pixel = stored.row(y).subspan(static_cast<std::size_t>(x * stored.samples),
                                                 static_cast<std::size_t>(stored.samples));
        line.insert(line.end(), pixel.begin(), pixel.end());
      }
      rows.add(y, std::span<const Sample>(line), first, step);
    }
  }
}

template <class Sample>
Image<float> read(const Stored<Sample>& stored, int orientation, Index shrink, bool interlaced) {
  cli::PhotoRows rows(stored.size, stored.samples, orientation, shrink);
  if (interlaced) {
    add_interlaced(stored, rows);
  } else {
    for (Index y = 0; y < stored.size.height; ++y) rows.add(y, stored.row(y));
  }
  return rows.take();
}

template <class Sample>
void try_photo(fuzz::Values& values) {
  Stored<Sample> stored{{values.within(1, 20), values.within(1, 20)}, values.within(1, 4), {}};
  const int orientation = static_cast<int>(values.within(1, 8));
  const Index shrink = values.within(1, 5);
  const bool interlaced = values.flag();
  stored.values.resize(static_cast<std::size_t>(stored.size.cells() * stored.samples));
  for (Sample& value : stored.values) value = values.number<Sample>();
  const Image<float> image = read(stored, orientation, shrink, interlaced);
  const GridSize size = cli::shrunk(stored.size, shrink);
  fuzz::require_true(image.size == cli::turned(size, orientation));
  fuzz::require_true(image.channels == (stored.samples <= 2 ? 1 : 3));
  for (const float value : image.values) fuzz::require_true(value >= 0 && value <= 1);
  // Turned while it is read, or behind.
  const Image<float> behind = cli::upright(read(stored, 1, shrink, interlaced), orientation);
  fuzz::require_true(behind.size == image.size && behind.values == image.values);
  if (shrink > 1) return;
  fuzz::require_true(read(stored, orientation, 1, !interlaced).values == image.values);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Values values(data, size);
  if (values.flag()) {
    try_photo<std::uint8_t>(values);
  } else {
    try_photo<std::uint16_t>(values);
  }
  return 0;
}
