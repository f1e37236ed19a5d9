// SPDX-License-Identifier: MIT
// What all formats are made from.
#pragma once

#include <diffseg/data/image.hpp>
#include <diffseg/data/labels.hpp>
#include <diffseg/labels/name.hpp>
#include <string>
#include <vector>

#include "../png_io.hpp"

namespace cli {

/// One photo and its labels.
struct Scene {
  const diffseg::Image<float>& photo;  ///< without values: there is none
  const diffseg::Labels& labels;
  const std::vector<diffseg::Names::Group>& names;  ///< empty: the labels have none
  const std::vector<Colour>& palette;               ///< [label]
  std::string file;                                 ///< the photo's name without its folders
};

/// The name of each label, empty where it has none.
[[nodiscard]] inline std::vector<std::string> label_names(const Scene& scene) {
  std::vector<std::string> names(static_cast<std::size_t>(scene.labels.count()));
  for (const auto& [word, labels] : scene.names) {
    for (const std::int32_t label : labels) names[static_cast<std::size_t>(label)] = word;
  }
  return names;
}

}  // namespace cli
