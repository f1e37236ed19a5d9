// SPDX-License-Identifier: MIT
// The manifest: a JSON file beside the arrays that says what they are (docs/real_attention.md).
#pragma once

#include <diffseg/data/layer_tokens.hpp>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cli {

/// One layer as the manifest describes it.
struct ManifestEntry {
  std::string field;           ///< "layers[2]", for messages
  std::filesystem::path file;  ///< of the arrays
  std::string array;           ///< its name in `file`; of queries_keys the queries'; empty in .npy
  std::string key_array;       ///< of queries_keys
  diffseg::LayerKind kind = diffseg::LayerKind::probabilities;
  diffseg::GridSize queries = {};  ///< {}: inferred
  diffseg::GridSize keys = {};     ///< {}: inferred
  diffseg::SkipTokens skip = {};   ///< of self-attention
  double scale = 0;                ///< of queries_keys; 0: 1 / sqrt(depth)
  std::optional<double> weight;
};

struct Manifest {
  std::string model;                  ///< in any words; empty: not told
  std::vector<ManifestEntry> layers;  ///< self-attention, never empty
  std::vector<ManifestEntry> cross;
  std::vector<std::string> tokens;
};

/// Throws diffseg::io_error (file: field: rule; remedy); fields it does not know are refused.
[[nodiscard]] Manifest read_manifest(const std::filesystem::path& path);

/// The manifest in `bytes`, as if it lay at `path`.
[[nodiscard]] Manifest parse_manifest(std::span<const unsigned char> bytes,
                                      const std::filesystem::path& path);

}  // namespace cli
