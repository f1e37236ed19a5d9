// SPDX-License-Identifier: MIT
// Attention out of files: .npy, .npz, .safetensors, or a manifest that says what they hold.
#pragma once

#include <diffseg/data/layer_tokens.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "mapped.hpp"

namespace cli {

/// What the files of one photo hold; the numbers stay mapped while a layer lives.
struct Attention {
  diffseg::Layers self;               ///< never empty; named by where each came from: FILE[ARRAY]
  std::vector<double> weights;        ///< [self] sum 1; layers of one grid share its weight
  diffseg::Layers cross;              ///< keys are text tokens, {1, count}
  std::vector<double> cross_weights;  ///< [cross]
  std::vector<std::string> tokens;    ///< text of each token column; empty: not known
  std::string model;                  ///< as the manifest names it; empty: not known
  std::vector<std::string> passed_over;  ///< arrays that are no attention, each with the reason
  std::vector<std::shared_ptr<const Watch>> files;  ///< that the numbers lie in

  /// A file shrank while this was read or used: some numbers are zeros.
  [[nodiscard]] bool is_cut_off() const;
};

/// Reads one manifest (.json), one folder (its only .json, else its arrays), or arrays: without a
/// manifest [heads, n, n] is self-attention, [heads, n, m] cross-attention, and what else lies
/// beside them is passed over. `skip` are tokens of self-attention that are no cells; none: those
/// of the manifest. Throws diffseg::io_error (file: field: rule; remedy).
[[nodiscard]] Attention read_attention(const std::vector<std::filesystem::path>& paths,
                                       const diffseg::SkipTokens& skip = {});

/// Every file that read_attention would read of `paths`; it throws as that does.
[[nodiscard]] std::vector<std::filesystem::path> files_of(
    const std::vector<std::filesystem::path>& paths);

}  // namespace cli
