// SPDX-License-Identifier: MIT
// What `--format` may ask for, and the files of one photo in these formats.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scene.hpp"

namespace cli {

enum class Format {
  png,       ///< label ids as palette indices (16-bit grey beyond 256 labels)
  voc,       ///< the same in the colours of Pascal VOC
  npy,       ///< label ids [height, width], int32
  coco,      ///< a mask of each label as COCO's compressed run lengths
  polygons,  ///< the same as polygons without holes
  geojson,   ///< polygons with holes
  csv,       ///< a row of figures for each label
  outlines,  ///< the photo with outlines and numbers
};

/// The formats of a list of names, each once, in the order given. std::invalid_argument for a name
/// that is none, with those that are.
[[nodiscard]] std::vector<Format> parse_formats(const std::vector<std::string>& names);

/// What the name of a file in this format ends with: ".labels.png".
[[nodiscard]] std::string_view suffix(Format format);

/// What the names of all results but the overlay end with, so that none is taken for a photo.
[[nodiscard]] std::vector<std::string_view> result_suffixes();

/// The formats' names, to be told: "png, voc, ...".
[[nodiscard]] std::string format_names();

/// Its name on the command line.
[[nodiscard]] std::string_view name_of(Format format);

/// The scene as a file of this format. std::invalid_argument (format: rule, value; remedy) for what
/// it cannot hold.
[[nodiscard]] Bytes encode(Format format, const Scene& scene);

}  // namespace cli
