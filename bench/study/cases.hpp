// SPDX-License-Identifier: MIT
// What the settings are tried on.
#pragma once

#include <diffseg/data/image.hpp>
#include <diffseg/segment.hpp>
#include <filesystem>
#include <string>
#include <vector>

namespace study {

using diffseg::GridSize;
using diffseg::Index;
using diffseg::Labels;
using diffseg::Layers;

/// Attention and what exact DiffSeg makes labels of it with.
struct Case {
  std::string source;  ///< "attention" (golden cases) or "photos"
  std::string name;
  Layers layers;  ///< f32
  diffseg::SegmentOptions exact;
  diffseg::Image<float> photo;  ///< of photos, else empty
  std::vector<Labels> truths;   ///< what annotators drew on a photo; may be empty
};

/// A case before it is read.
struct CaseFile {
  std::string source;
  std::filesystem::path path;
};

/// All folders with a case.json below `golden`, then the first `photos_at_most` .jpg and .png files
/// of `photos` (empty: none) in the order of their names, label files aside.
[[nodiscard]] std::vector<CaseFile> find_cases(const std::filesystem::path& golden,
                                               const std::filesystem::path& photos,
                                               std::size_t photos_at_most);

/// Reads a case: golden attention with its heads repeated to `heads` (as many bytes as a model
/// makes; the mean over heads stays), its labels compared with the published ones; or a photo's
/// attention by Affinity, with the annotators' labels ID.truthK.png that lie beside it. Throws
/// std::runtime_error when the published labels are missed.
[[nodiscard]] Case load_case(const CaseFile& file, Index heads);

}  // namespace study
