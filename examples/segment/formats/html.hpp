// SPDX-License-Identifier: MIT
// One page about a run, in one file: it asks for nothing from anywhere.
#pragma once

#include <string>
#include <vector>

#include "preview.hpp"
#include "scene.hpp"

namespace cli {

/// The part of the page about a photo that worked: photo, segments, their table, and a slider where
/// there are steps. `title` and `note` are plain text; an empty note is left out.
[[nodiscard]] std::string html_photo(const Scene& scene, const std::string& title,
                                     const std::string& note, const std::vector<SliderStep>& steps,
                                     double threshold);

/// The part about one that failed.
[[nodiscard]] std::string html_failure(const std::string& title, const std::string& error);

/// The part about one that an earlier run has done, of which this one made no pictures.
[[nodiscard]] std::string html_done_before(const std::string& title);

/// The whole page of these parts, in their order; empty ones, of photos that were not reached, are
/// left out.
[[nodiscard]] Bytes html_page(const std::vector<std::string>& parts);

}  // namespace cli
