// SPDX-License-Identifier: MIT
// FitBorders: Labels and their photo -> Labels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "diffseg/core/parallel.hpp"
#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/workspace.hpp"
#include "diffseg/data/image.hpp"
#include "diffseg/data/labels.hpp"
#include "diffseg/labels/detail/absorb_small.hpp"
#include "diffseg/labels/detail/guided_tile.hpp"
#include "diffseg/labels/detail/mirrored_cut.hpp"
#include "diffseg/math/lightness.hpp"

namespace diffseg {

/// Labels -> Labels whose borders follow the photo: the mask of every label goes through a guided
/// filter (He, Sun and Tang 2010; the guide is L / 100 of CIE L*a*b*, edges are mirrored), each
/// pixel takes the label whose filtered mask is largest, then regions that are too small go to the
/// neighbour with the longest shared border, as in Tidy. Labels keep their ids, `proposals` stay as
/// they are; a label may lose all its pixels (then it counts still), and a region may fall in two.
/// No pixel farther than twice the radius from a border changes, but for small regions. The
/// filtered masks are never stored. The same bits for any number of threads. Errors:
/// std::invalid_argument for options outside their range, labels outside 0 .. count() - 1, a photo
/// of another size or with numbers outside 0..1.
struct FitBorders {
  using Stage = void;  ///< it may follow a chain, by a lambda that adds the photo

  Index radius = 8;          ///< pixels; the window has 2 radius + 1 a side; 1..16
  double epsilon = 1e-3;     ///< variance of L / 100 that counts as an edge, 1e-6..1
  double min_area = 0.0025;  ///< least share of the pixels that a region must have, 0..1

  /// The labels [H, W] fitted to the photo [H, W, channels].
  template <class Scalar>
  [[nodiscard]] Labels operator()(const Labels& labels, const Image<Scalar>& photo) const {
    Labels result;
    (*this)(labels, photo, result);
    return result;
  }

  /// The same into `out`, reusing its storage. After an exception it is empty, or as it was; it may
  /// be `labels` itself, which stays as it was then.
  template <class Scalar>
  void operator()(const Labels& labels, const Image<Scalar>& photo, Labels& out) const {
    Workspace workspace;
    (*this)(labels, photo, out, workspace);
  }

  /// The same with what an earlier call has left in `workspace`.
  template <class Scalar>
  void operator()(const Labels& labels, const Image<Scalar>& photo, Labels& out,
                  Workspace& workspace) const;

 private:
  static constexpr Index tile_side = 128;  // at most: what a thread works on stays in its cache

  /// What one thread works with.
  struct Scratch {
    detail::GuidedTile tile;
    detail::Buffer<float> lightness;
  };

  template <class Scalar>
  void check(const Labels& labels, const Image<Scalar>& photo) const {
    using detail::require;
    require(radius >= 1 && radius <= 16, "FitBorders: radius must be in 1..16, got ", radius);
    require(detail::is_finite(epsilon) && epsilon >= 1e-6 && epsilon <= 1,
            "FitBorders: epsilon must be in 1e-6..1, got ", epsilon);
    require(detail::is_finite(min_area) && min_area >= 0 && min_area <= 1,
            "FitBorders: min_area must be in 0..1, got ", min_area);
    labels.check("FitBorders");
    photo.check("FitBorders");
    require(labels.size == photo.size, "FitBorders: labels and photo must have one size, got ",
            labels.size.height, " x ", labels.size.width, " and ", photo.size.height, " x ",
            photo.size.width);
    const Index line = photo.size.width * photo.channels;
    detail::parallel_for(photo.size.height, [&](Index y) {
      const Scalar* const row = photo.values.data() + y * line;
      bool sound = true;  // no early exit, so that it runs in packets
      for (Index i = 0; i < line; ++i) sound &= is_valid(row[i]);
      for (Index i = 0; !sound && i < line; ++i) {
        require(is_valid(row[i]), "FitBorders: the photo's numbers must be in 0..1, got ", row[i]);
      }
    });
  }
  template <class Scalar>
  static bool is_valid(Scalar value) {
    return detail::is_finite(value) && value >= Scalar(0) && value <= Scalar(1);
  }

  /// Fits the tile of `size` pixels whose first is (top, left).
  template <class Scalar>
  static void fit(const detail::GuidedFilter& filter, const Labels& labels,
                  const Image<Scalar>& photo, Index top, Index left, GridSize size,
                  Scratch& scratch, std::int32_t* out) {
    const Index margin = filter.width - 1;
    const Index line = labels.size.width;
    const detail::MirroredCut rows{top - margin, size.height + 2 * margin, labels.size.height};
    const detail::MirroredCut columns{left - margin, size.width + 2 * margin, line};
    const Index begin = columns.begin();
    const Index count = columns.end() - begin;
    const auto source = [&](Index y) { return rows.source(y) * line + columns.source(begin); };
    detail::GuidedTile& tile = scratch.tile;
    tile.begin(filter, size);
    for (Index y = 0; y < rows.size; ++y) {
      std::int32_t* const row = tile.labels.data() + y * columns.size;
      std::copy_n(labels.values.data() + source(y), count, row + begin);
      columns.mirror(row);
    }
    std::int32_t* const target = out + top * line + left;
    const auto& present = tile.find_labels(filter);
    if (present.size() == 1) {
      for (Index y = 0; y < size.height; ++y) {
        std::fill_n(target + y * line, size.width, present.front().label);
      }
      return;
    }
    float* const light = scratch.lightness.data();
    for (Index y = 0; y < rows.size; ++y) {
      detail::lightness(photo.values.data() + source(y) * photo.channels, count, photo.channels,
                        light + begin);
      columns.mirror(light);
      tile.guide.set_row(y, light);
    }
    tile.run(filter, target, line);
  }

  template <class Scalar>
  static void fit_tiles(const detail::GuidedFilter& filter, const Labels& labels,
                        const Image<Scalar>& photo, std::vector<Scratch>& kept, std::int32_t* out) {
    const auto [height, width] = labels.size;
    const Index rows = (height + tile_side - 1) / tile_side;
    const Index columns = (width + tile_side - 1) / tile_side;
    const GridSize largest{(height + rows - 1) / rows, (width + columns - 1) / columns};
    detail::parallel_for(
        rows * columns, kept,
        [&](Scratch& scratch) {
          scratch.tile.prepare(filter, largest);
          detail::make_room(scratch.lightness, largest.width + 2 * (filter.width - 1));
        },
        [&, height = height, width = width](Index index, Scratch& scratch) {
          const Index y = index / columns;
          const Index x = index % columns;
          const Index top = y * height / rows;
          const Index left = x * width / columns;
          const GridSize size{(y + 1) * height / rows - top, (x + 1) * width / columns - left};
          fit(filter, labels, photo, top, left, size, scratch, out);
        });
  }

  void absorb(Labels& labels) const {
    detail::RegionGraph graph(labels.size, labels.values);
    detail::absorb_small(graph, min_area * static_cast<double>(labels.size.cells()));
    std::vector<std::int32_t> ids(labels.proposals.size());
    std::iota(ids.begin(), ids.end(), 0);
    graph.write(ids, labels.values);
  }
};

template <class Scalar>
void FitBorders::operator()(const Labels& labels, const Image<Scalar>& photo, Labels& out,
                            Workspace& workspace) const {
  check(labels, photo);
  Labels result;
  if (&labels != &out) result = std::exchange(out, {});
  const detail::ProfileScope scope("FitBorders", labels.size.cells() * Index{8});
  const detail::GuidedFilter filter(radius, epsilon);
  result.size = labels.size;
  result.proposals = labels.proposals;
  result.values.resize(labels.values.size());
  fit_tiles(filter, labels, photo, workspace.get<std::vector<Scratch>>(), result.values.data());
  if (min_area > 0) absorb(result);
  out = std::move(result);
}

}  // namespace diffseg
