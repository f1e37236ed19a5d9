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
  std::string source;  ///< "attention" (golden cases), "photos" or "trained"
  std::string name;
  Layers layers;  ///< f32
  diffseg::SegmentOptions exact;
  diffseg::Image<float> photo;  ///< of photos alone
  std::vector<Labels> truths;   ///< what annotators drew on a photo; may be empty
};

/// A case before it is read.
struct CaseFile {
  std::string source;
  std::filesystem::path path;
  std::filesystem::path photo;  ///< of trained attention; empty: none
};

/// Where cases lie; empty: none.
struct Folders {
  std::filesystem::path golden;   ///< folders with a case.json, at any depth
  std::filesystem::path photos;   ///< .jpg and .png files, label files aside
  std::filesystem::path trained;  ///< a folder ID for the attention of each photo ID
  std::size_t photos_at_most = 10;
};

/// All golden cases, then the first photos and the first of the trained attention, by name.
[[nodiscard]] std::vector<CaseFile> find_cases(const Folders& folders);

/// Reads a case: golden attention with its heads repeated to `heads` (as many bytes as a model
/// makes; the mean over heads stays), its labels compared with the published ones; a photo's
/// attention by Affinity, or a model's with the threshold of its preset, as probabilities of every
/// head, both with the annotators' labels ID.truthK.png that lie beside the photo. Throws
/// std::runtime_error when the published labels are missed.
[[nodiscard]] Case load_case(const CaseFile& file, Index heads);

}  // namespace study
