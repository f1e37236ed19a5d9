// SPDX-License-Identifier: MIT
// DownsamplePhoto: a photo -> a smaller one.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "diffseg/core/parallel.hpp"
#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/workspace.hpp"
#include "diffseg/data/image.hpp"
#include "diffseg/math/resample.hpp"

namespace diffseg {

/// A photo -> the mean colour of the area that each new pixel covers. Sides that are smaller than
/// `size` stay. Errors: std::invalid_argument for a size below 1 x 1 and what Image::check refuses.
struct DownsamplePhoto {
  using Stage = void;  ///< it may begin or follow a chain

  GridSize size;  ///< sides to reduce to, >= 1 x 1

  /// The photo at `size`.
  template <class Scalar>
  [[nodiscard]] Image<Scalar> operator()(const Image<Scalar>& image) const {
    Image<Scalar> result;
    (*this)(image, result);
    return result;
  }

  /// Photo [H, W, channels] -> `result` [size, channels], which may be `image`, and stays as it was
  /// after an exception.
  template <class Scalar>
  void operator()(const Image<Scalar>& image, Image<Scalar>& result) const {
    Workspace workspace;
    (*this)(image, result, workspace);
  }

  /// The same with what an earlier call has left in `workspace`.
  template <class Scalar>
  void operator()(const Image<Scalar>& image, Image<Scalar>& result, Workspace& workspace) const;

 private:
  /// What one call can use again of another.
  template <class Scalar>
  struct Scratch {
    std::vector<Scalar> room;  // what the last result was; two images in turns
    std::vector<detail::Buffer<Scalar>> totals;
  };

  template <class Scalar>
  static void fill(const Image<Scalar>& image, Image<Scalar>& result,
                   std::vector<detail::Buffer<Scalar>>& totals) {
    using Axis = detail::AxisResampler<Scalar>;
    const Axis rows(image.size.height, result.size.height, detail::Resampling::mean);
    const Axis columns(image.size.width, result.size.width, detail::Resampling::mean);
    const Index line = image.size.width * image.channels;
    detail::parallel_for(
        result.size.height, totals,
        [&](detail::Buffer<Scalar>& total) { detail::make_room(total, line); },
        [&](Index y, detail::Buffer<Scalar>& total) {
          detail::combine_rows<Scalar>(image.values.data() + rows.first(y) * line, line,
                                       rows.weights(y), rows.taps(), nullptr, total.data(), line);
          Scalar* out = result.values.data() + y * result.size.width * image.channels;
          for (Index x = 0; x < result.size.width; ++x, out += image.channels) {
            detail::combine_rows<Scalar>(total.data() + columns.first(x) * image.channels,
                                         image.channels, columns.weights(x), columns.taps(),
                                         nullptr, out, image.channels);
          }
          // Rounding must not carry the mean of what is within 0..1 out of it.
          for (Scalar* value = out - result.size.width * image.channels; value != out; ++value) {
            if (*value > Scalar(1) && *value < Scalar(1.00001)) *value = Scalar(1);
          }
        });
  }
};

template <class Scalar>
void DownsamplePhoto::operator()(const Image<Scalar>& image, Image<Scalar>& result,
                                 Workspace& workspace) const {
  detail::require(size.height >= 1 && size.width >= 1,
                  "DownsamplePhoto: size must be at least 1 x 1, got ", size.height, " x ",
                  size.width);
  image.check("DownsamplePhoto");
  const detail::ProfileScope scope("DownsamplePhoto");
  Image<Scalar> reduced;
  reduced.size = {std::min(image.size.height, size.height), std::min(image.size.width, size.width)};
  reduced.channels = image.channels;
  auto& scratch = workspace.get<Scratch<Scalar>>();
  reduced.values = std::exchange(scratch.room, {});
  reduced.values.resize(static_cast<std::size_t>(reduced.size.cells() * image.channels));
  fill(image, reduced, scratch.totals);
  scratch.room = std::exchange(result.values, {});
  result = std::move(reduced);
}

}  // namespace diffseg
