// SPDX-License-Identifier: MIT
// What is written of a photo.
#pragma once

#include <diffseg/data/image.hpp>
#include <diffseg/data/labels.hpp>
#include <string>
#include <vector>

#include "files.hpp"
#include "options.hpp"
#include "report.hpp"

namespace cli {

/// One result of a photo: its file is PLACE followed by the suffix.
struct Result {
  std::string kind;    ///< its name in JSON
  std::string suffix;  ///< with the dot, at most 19 bytes; is_result knows it
  Bytes bytes;
};

/// The results, nothing written. `photo` is empty where there is none. May be called by several
/// threads at a time.
[[nodiscard]] std::vector<Result> encode_results(const diffseg::Image<float>& photo,
                                                 const diffseg::Labels& labels,
                                                 const Options& options, const PhotoReport& report);

/// The photo's part of the page about the run.
[[nodiscard]] std::string page_part(const diffseg::Image<float>& photo,
                                    const diffseg::Labels& labels, const PhotoReport& report);

}  // namespace cli
