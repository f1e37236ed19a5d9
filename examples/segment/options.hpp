// SPDX-License-Identifier: MIT
#pragma once

#include <diffseg/data/layer_tokens.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "formats/formats.hpp"
#include "shard.hpp"

namespace cli {

/// A word that labels may be named with.
struct WantedNoun {
  std::string word;
  diffseg::Index begin = 0;  ///< its token columns [begin, end), where they are given
  diffseg::Index end = 0;    ///< 0: look the word up among the tokens
};

/// How the tinted photo is written; automatic: PNG, beyond 4 megapixels JPEG.
enum class OverlayKind { automatic, png, jpg, none };

/// What the command line asks for. What changes a result belongs into options_hash (sidecar.hpp).
struct Options {
  std::vector<std::string> inputs;               ///< photos, folders, patterns, lists
  std::vector<std::filesystem::path> attention;  ///< files instead of photos; empty: none
  std::filesystem::path image;                   ///< photo of the attention, or a folder of them
  diffseg::SkipTokens skip;                      ///< tokens of the attention that are no cells
  std::vector<WantedNoun> nouns;                 ///< to name the labels with
  std::vector<double> thresholds;  ///< one an iteration, nats; empty: chosen for each photo
  diffseg::Index segments = 0;     ///< wanted, without thresholds; 0: as many as suit the photo
  std::vector<double> sweep;       ///< thresholds to tell the figures of, nats, ascending
  bool model_threshold = false;    ///< the model's own threshold first, where one is known
  std::optional<diffseg::GridSize> anchors;  ///< one for every 4 x 4 cells; published
  bool refine = true;                        ///< cluster the maps around the proposals
  bool tidy = true;                          ///< a label for each connected region, none too small
  std::optional<double> sinks;               ///< share of attention of keys to leave out, 0..1
  std::optional<bool> fit_borders;           ///< to the photo; as tidy
  double min_area = 0.01;                    ///< least share of the photo that a region has, 0..1
  std::optional<diffseg::GridSize> size;     ///< of the label PNG; the photo's
  std::vector<Format> formats = {Format::png};  ///< of the labels, never empty
  OverlayKind overlay = OverlayKind::automatic;
  std::filesystem::path output;  ///< folder of the results; empty: here
  std::filesystem::path html;    ///< page about the run; empty: none
  std::filesystem::path trace;   ///< empty: none
  bool profile = false;
  bool json = false;
  bool quiet = false;          ///< neither bar nor summary
  bool recursive = false;      ///< folders of folders as well
  bool force = false;          ///< also what an earlier run did
  Shard shard;                 ///< the part of the photos that is ours
  diffseg::Index jobs = 0;     ///< photos at a time; 0: as many as there are cores
  diffseg::Index threads = 0;  ///< of each; 0: one, of a single photo all
  double memory = 0;           ///< bytes for all at a time; 0: most of what there is

  [[nodiscard]] bool wants_profile() const { return profile || !trace.empty(); }
};

/// The exit status when there is nothing (more) to do: 0 after --help and --version, 2 after a
/// mistake, which is explained on stderr.
using ExitStatus = int;

[[nodiscard]] std::variant<Options, ExitStatus> parse_options(int count, char** arguments);

}  // namespace cli
