// SPDX-License-Identifier: MIT
#pragma once

#include <diffseg/core/profile.hpp>
#include <diffseg/data/labels.hpp>
#include <diffseg/data/sweep_point.hpp>
#include <diffseg/labels/name.hpp>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "formats/preview.hpp"

namespace cli {

/// What became of one photo, or of the attention of one.
struct PhotoReport {
  std::string name = {};                              ///< as messages call it
  std::filesystem::path photo = {};                   ///< empty: attention without its photo
  std::vector<std::filesystem::path> attention = {};  ///< empty: a photo alone
  std::string error = {};  ///< why it failed; empty: it did not, and everything below is set
  bool skipped = false;    ///< an earlier run did it; what follows is what that run told

  diffseg::GridSize size = {};
  diffseg::GridSize grid = {};                     ///< of the maps
  diffseg::GridSize label_size = {};               ///< of the label PNG
  std::vector<double> shares = {};                 ///< [label] share of the pixels, 0..1
  std::vector<diffseg::Index> per_iteration = {};  ///< proposals after each iteration
  std::vector<double> thresholds = {};             ///< one an iteration, given or chosen
  std::vector<diffseg::SweepPoint> sweep = {};     ///< as asked for
  std::string hint = {};                           ///< what to try; empty: nothing to say
  std::string note = {};                           ///< what was done to the photo; empty: nothing
  std::vector<std::string> passed_over = {};       ///< arrays in its files that are no attention
  double read_milliseconds = 0;
  double segment_milliseconds = 0;
  double write_milliseconds = 0;
  std::vector<std::pair<std::string, std::filesystem::path>> files = {};  ///< what each is, where
  std::vector<diffseg::Names::Group> names = {};
  std::vector<SliderStep> slider = {};  ///< as the sweep, until it is part of the page
};

/// Share of the pixels of each label.
[[nodiscard]] std::vector<double> pixel_shares(const diffseg::Labels& labels);

/// One line about a photo that worked, one a name, and the table of its sweep.
void print_text(std::ostream& out, const PhotoReport& report);

/// The stage table; rows of inner scopes are indented.
void print_profile(std::ostream& out, const diffseg::Profile& profile);

/// The slowest stage, its share and, where it tells its bytes, the time that one read of so many
/// needs: its floor. Measures this machine's bandwidth for that.
void print_bottleneck(std::ostream& out, const diffseg::Profile& profile);

}  // namespace cli
