// SPDX-License-Identifier: MIT
// What happens to one photo, or to the attention of one: all of DiffSeg is here.
#pragma once

#include <diffseg/data/image.hpp>
#include <diffseg/data/labels.hpp>

#include "attention_files.hpp"
#include "options.hpp"
#include "report.hpp"

namespace cli {

/// Labels of a photo by the stand-in's attention; tells grid, thresholds, sweep and hint.
[[nodiscard]] diffseg::Labels segment_photo(const diffseg::Image<float>& photo,
                                            const Options& options, PhotoReport& report);

/// The same by a model's attention, and names; `photo` is empty where there is none. `file` is the
/// attention's, for messages.
[[nodiscard]] diffseg::Labels segment_attention(const Attention& attention,
                                                const diffseg::Image<float>& photo,
                                                const std::string& file, const Options& options,
                                                PhotoReport& report);

/// Bytes that the stand-in's attention and its maps take.
[[nodiscard]] double stand_in_memory(const Options& options);

/// Bytes that the maps of a model's attention take; its files are mapped. 0 where it is refused.
[[nodiscard]] double attention_memory(const diffseg::Layers& layers, const Options& options);

}  // namespace cli
