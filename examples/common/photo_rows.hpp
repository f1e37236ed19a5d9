// SPDX-License-Identifier: MIT
// A photo while it is decoded: rows of samples in, one upright image of floats out.
#pragma once

#include <diffseg/data/image.hpp>
#include <span>
#include <vector>

namespace cli {

/// Pixels a photo or a label map may have in memory: what the pipeline holds beside them stays
/// there.
inline constexpr diffseg::Index max_pixels = 100'000'000;

/// Pixels a photo may have in its file, and a side of it.
inline constexpr diffseg::Index most_stored_pixels = 2'000'000'000;
inline constexpr diffseg::Index longest_side = 1'000'000;

/// A photo [height, width, 1 or 3], upright, transparency over white.
struct Photo {
  diffseg::Image<float> image;
  diffseg::GridSize full;  ///< its size in the file, upright; larger than image.size when scaled
};

/// diffseg::io_error for a size that is not even taken scaled down.
void check_stored_size(diffseg::GridSize stored);

/// The smallest whole number by which both sides must be divided (rounded up) for `most` pixels.
[[nodiscard]] diffseg::Index shrink_factor(diffseg::GridSize stored, diffseg::Index most);

/// `size` divided by `factor`, rounded up.
[[nodiscard]] diffseg::GridSize shrunk(diffseg::GridSize size, diffseg::Index factor);

/// `size` with its sides exchanged where an EXIF orientation 1..8 turns by a quarter.
[[nodiscard]] diffseg::GridSize turned(diffseg::GridSize size, int orientation);

/// Takes the rows of a stored photo in any order, each pixel once, and puts each where the EXIF
/// orientation 1..8 wants it; with `shrink` > 1 as a share of the mean over shrink x shrink pixels.
class PhotoRows {
 public:
  /// `samples` a pixel: 1 grey, 2 with alpha, 3 colour, 4 with alpha.
  PhotoRows(diffseg::GridSize stored, diffseg::Index samples, int orientation,
            diffseg::Index shrink = 1);

  /// The pixels of row `y` in columns `first`, `first + step`, ...; the largest Sample is 1.0.
  template <class Sample>
  void add(diffseg::Index y, std::span<const Sample> row, diffseg::Index first = 0,
           diffseg::Index step = 1);

  /// The image, once all pixels were added.
  [[nodiscard]] diffseg::Image<float> take();

 private:
  [[nodiscard]] float* place(diffseg::Index y) {
    return image_.values.data() + begin_ + y / shrink_ * row_step_;
  }
  float* band_row(diffseg::Index y);
  void write_band();
  void copy(float* to, diffseg::Index pixels, diffseg::Index step);
  void average(diffseg::Index y, diffseg::Index pixels, diffseg::Index first, diffseg::Index step);

  diffseg::GridSize stored_;
  diffseg::Index samples_;
  diffseg::Index shrink_;
  diffseg::Image<float> image_;
  diffseg::Index begin_ = 0;        // of the first stored pixel in the image, in numbers
  diffseg::Index row_step_ = 0;     // from a stored row to the next
  diffseg::Index column_step_ = 0;  // from a stored pixel to the next of its row
  std::vector<float> line_;         // a row, alpha applied
  std::vector<float> band_;         // rows that become columns, which are written together
  diffseg::Index band_first_ = 0;   // the first of them
  diffseg::Index band_rows_ = 0;
};

/// The stored image turned the way an EXIF orientation 1..8 asks for.
[[nodiscard]] diffseg::Image<float> upright(diffseg::Image<float> stored, int orientation);

}  // namespace cli
