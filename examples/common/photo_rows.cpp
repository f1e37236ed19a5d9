// SPDX-License-Identifier: MIT
#include "photo_rows.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <diffseg/io/error.hpp>
#include <limits>
#include <type_traits>
#include <utility>

#include "text.hpp"

namespace cli {

using diffseg::GridSize;
using diffseg::Image;
using diffseg::Index;

namespace {

/// Numbers of which `full` is 1.0; `alpha`, the last of a pixel, lets white through.
template <class Sample>
void to_floats(const Sample* from, Index pixels, Index samples, float* to) {
  constexpr float full = std::is_floating_point_v<Sample>
                             ? 1.0F
                             : static_cast<float>(std::numeric_limits<Sample>::max());
  const Index colours = samples <= 2 ? 1 : 3;
  if (samples == colours) {
    for (Index i = 0; i < pixels * samples; ++i) to[i] = static_cast<float>(from[i]) / full;
    return;
  }
  for (Index i = 0; i < pixels; ++i, from += samples, to += colours) {
    const float alpha = static_cast<float>(from[colours]) / full;
    for (Index c = 0; c < colours; ++c)
      to[c] = alpha * (static_cast<float>(from[c]) / full) + (1.0F - alpha);
  }
}

}  // namespace

void check_stored_size(GridSize stored) {
  if (stored.height <= longest_side && stored.width <= longest_side &&
      stored.height * stored.width <= most_stored_pixels) {
    return;
  }
  throw diffseg::io_error(message("is too large (", stored.height, " x ", stored.width,
                                  " pixels), at most ", most_stored_pixels, " and ", longest_side,
                                  " a side are taken; scale it down first"));
}

GridSize shrunk(GridSize size, Index factor) {
  return {(size.height + factor - 1) / factor, (size.width + factor - 1) / factor};
}

Index shrink_factor(GridSize stored, Index most) {
  Index factor = 1;
  while (shrunk(stored, factor).cells() > most) ++factor;
  return factor;
}

GridSize turned(GridSize size, int orientation) {
  if (orientation >= 5) std::swap(size.height, size.width);
  return size;
}

PhotoRows::PhotoRows(GridSize stored, Index samples, int orientation, Index shrink)
    : stored_(stored), samples_(samples), shrink_(shrink) {
  const GridSize size = shrunk(stored, shrink);
  image_ = {turned(size, orientation), samples <= 2 ? 1 : 3, {}};
  image_.values.resize(static_cast<std::size_t>(image_.size.cells() * image_.channels));
  const bool across = orientation >= 5;
  row_step_ = (across ? 1 : size.width) * image_.channels;
  column_step_ = (across ? size.height : 1) * image_.channels;
  if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) {
    begin_ += (size.width - 1) * column_step_;
    column_step_ = -column_step_;
  }
  if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) {
    begin_ += (size.height - 1) * row_step_;
    row_step_ = -row_step_;
  }
}

template <class Sample>
void PhotoRows::add(Index y, std::span<const Sample> row, Index first, Index step) {
  const Index pixels = static_cast<Index>(row.size()) / samples_;
  if (shrink_ == 1 && step == 1) {
    const bool along = column_step_ == image_.channels;
    const bool across = std::abs(row_step_) == image_.channels && pixels == stored_.width;
    if (along || across) {
      to_floats(row.data(), pixels, samples_,
                along ? place(y) + first * column_step_ : band_row(y));
      return;
    }
  }
  line_.resize(static_cast<std::size_t>(pixels * image_.channels));
  to_floats(row.data(), pixels, samples_, line_.data());
  if (shrink_ == 1) {
    copy(place(y) + first * column_step_, pixels, step * column_step_);
  } else {
    average(y, pixels, first, step);
  }
}

template void PhotoRows::add(Index, std::span<const std::uint8_t>, Index, Index);
template void PhotoRows::add(Index, std::span<const std::uint16_t>, Index, Index);
template void PhotoRows::add(Index, std::span<const float>, Index, Index);

/// Room for row `y` in the band.
float* PhotoRows::band_row(Index y) {
  constexpr Index most = 16;  // pixels of 12 bytes: three cache lines of each column
  if (band_rows_ == most || y != band_first_ + band_rows_) write_band();
  if (band_rows_ == 0) band_first_ = y;
  const Index line = stored_.width * image_.channels;
  band_.resize(static_cast<std::size_t>(most * line));
  return band_.data() + line * band_rows_++;
}

void PhotoRows::write_band() {
  const Index line = stored_.width * image_.channels;
  for (Index x = 0; x < stored_.width && band_rows_ > 0; ++x) {
    float* to = place(band_first_) + x * column_step_;
    const float* from = band_.data() + x * image_.channels;
    for (Index i = 0; i < band_rows_; ++i, to += row_step_, from += line)
      for (Index c = 0; c < image_.channels; ++c) to[c] = from[c];
  }
  band_rows_ = 0;
}

Image<float> PhotoRows::take() {
  write_band();
  return std::move(image_);
}

void PhotoRows::copy(float* to, Index pixels, Index step) {
  const float* from = line_.data();
  if (image_.channels == 1) {
    for (Index i = 0; i < pixels; ++i) to[i * step] = from[i];
    return;
  }
  for (Index i = 0; i < pixels; ++i, to += step, from += 3) std::copy_n(from, 3, to);
}

void PhotoRows::average(Index y, Index pixels, Index first, Index step) {
  // The last row and column of means may cover fewer pixels.
  const auto covered = [&](Index cell, Index side) {
    return std::min(shrink_, side - cell * shrink_);
  };
  const float* from = line_.data();
  const Index height = covered(y / shrink_, stored_.height);
  float* const row = place(y);
  for (Index i = 0; i < pixels; ++i, from += image_.channels) {
    const Index cell = (first + i * step) / shrink_;
    const float weight = 1.0F / static_cast<float>(height * covered(cell, stored_.width));
    for (Index c = 0; c < image_.channels; ++c) {
      // Rounding must not carry a mean beyond 1.
      float& mean = row[cell * column_step_ + c];
      mean = std::min(1.0F, mean + weight * from[c]);
    }
  }
}

Image<float> upright(Image<float> stored, int orientation) {
  if (orientation == 1) return stored;
  PhotoRows rows(stored.size, stored.channels, orientation);
  const std::size_t line = stored.values.size() / static_cast<std::size_t>(stored.size.height);
  for (Index y = 0; y < stored.size.height; ++y) {
    const float* const row = stored.values.data() + static_cast<std::size_t>(y) * line;
    rows.add(y, std::span<const float>(row, line));
  }
  return rows.take();
}

}  // namespace cli
