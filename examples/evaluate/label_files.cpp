// SPDX-License-Identifier: MIT
#include "label_files.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <diffseg/io/error.hpp>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

/// A PNG below a folder.
struct Png {
  std::string folder;  ///< relative, "" or with "/" behind it
  std::string stem;
  fs::path path;
};

bool ends_in_png(const fs::path& path) {
  std::string suffix = path.extension().string();
  for (char& letter : suffix) {
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return suffix == ".png";
}

/// Made by machines for themselves: "._a.png", ".git", "__MACOSX".
bool is_hidden(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with('.') || name == "__MACOSX";
}

/// The PNGs in a folder and its sub-folders, but those in `other`, in the order of their paths.
std::vector<Png> pngs_in(const fs::path& root, const fs::path& other) {
  std::vector<Png> result;
  std::error_code error;
  std::error_code ignored;
  std::set<fs::path> seen = {fs::canonical(root, ignored)};  // links may lead back
  constexpr auto links = fs::directory_options::follow_directory_symlink;
  for (fs::recursive_directory_iterator entry(root, links, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path& path = entry->path();
    if (entry->is_directory(ignored)) {
      if (is_hidden(path) || fs::equivalent(path, other, ignored) ||
          !seen.insert(fs::canonical(path, ignored)).second)
        entry.disable_recursion_pending();
    } else if (!is_hidden(path) && ends_in_png(path)) {
      const std::string folder = path.lexically_relative(root).parent_path().generic_string();
      result.push_back({folder.empty() ? "" : folder + '/', path.stem().string(), path});
    }
  }
  if (error) {
    throw diffseg::io_error(
        message(root.string(), ": cannot be read (", error.message(), "); give a folder of PNGs"));
  }
  std::sort(result.begin(), result.end(),
            [](const Png& a, const Png& b) { return a.path < b.path; });
  return result;
}

/// What the name of a truth says.
struct TruthName {
  std::string id;
  std::size_t rank;  ///< the truths of the lowest rank are those of a photo
  int number = 0;
};

constexpr std::size_t numbered = 0;
// In the order in which they are preferred.
constexpr std::array<std::string_view, 5> endings = {"_gtFine_labelIds", "_gtFine_labelTrainIds",
                                                     "_gtCoarse_labelIds",
                                                     "_gtCoarse_labelTrainIds", ".labels"};

/// The K of ID.truthK, if there is one.
std::optional<TruthName> numbered_truth(const std::string& stem) {
  constexpr std::string_view mark = ".truth";
  const std::size_t at = stem.rfind(mark);
  if (at == std::string::npos) return {};
  int number = -1;
  const char* const end = stem.data() + stem.size();
  const auto [rest, error] = std::from_chars(stem.data() + at + mark.size(), end, number);
  if (error != std::errc{} || rest != end || number < 0) return {};
  return TruthName{stem.substr(0, at), numbered, number};
}

/// Nothing for pictures of labels and other things that lie beside truths.
std::optional<TruthName> truth_name(const std::string& stem) {
  if (auto found = numbered_truth(stem)) return found;
  for (std::size_t i = 0; i < endings.size(); ++i) {
    if (stem.ends_with(endings[i]))
      return TruthName{stem.substr(0, stem.size() - endings[i].size()), numbered + 1 + i};
  }
  const bool cityscapes =
      stem.find("_gtFine_") != std::string::npos || stem.find("_gtCoarse_") != std::string::npos;
  if (cityscapes || stem.ends_with(".overlay")) return {};
  return TruthName{stem, numbered + 1 + endings.size()};
}

/// The truths of one photo.
struct Truths {
  std::size_t rank = ~std::size_t{0};
  std::map<int, fs::path> paths;
  std::string error;
};

void add_truth(Truths& truths, const TruthName& name, const Png& png) {
  if (name.rank > truths.rank) return;
  if (name.rank < truths.rank) truths = {name.rank, {}, {}};
  const auto [found, added] = truths.paths.emplace(name.number, png.path);
  if (added) return;
  truths.error = message("has two truths of one name, ", found->second.string(), " and ",
                         png.path.string(), "; keep one");
}

// What may follow an ID in the name of its prediction; the first that is there is taken.
constexpr std::array<std::string_view, 4> forms = {".labels", "", "_leftImg8bit.labels",
                                                   "_leftImg8bit"};

std::string without(std::string text, std::string_view ending) {
  if (text.ends_with(ending)) text.resize(text.size() - ending.size());
  return text;
}

/// Where all predictions are.
class Predictions {
 public:
  Predictions(const fs::path& root, const fs::path& truths) : root_(root) {
    for (const Png& png : pngs_in(root, truths)) {
      paths_[png.folder + png.stem].push_back(png.path);
      folders_[without(without(png.stem, ".labels"), "_leftImg8bit")].insert(png.folder);
    }
  }

  /// Fills in the prediction of `files`, or why there is none. `alone`: no other truth has `name`.
  void find(const std::string& folder, const std::string& name, bool alone,
            LabelFiles& files) const {
    if (find_in(folder, name, files)) return;
    const auto others = folders_.find(without(name, "_leftImg8bit"));
    if (alone && others != folders_.end()) {
      if (others->second.size() == 1 && find_in(*others->second.begin(), name, files)) return;
      if (others->second.size() > 1) {
        files.error = message("has several predictions in ", root_.string(), ", as in ",
                              *others->second.begin(), " and ", *others->second.rbegin(),
                              "; put the truth into a folder of the same name, or keep one");
        return;
      }
    }
    files.error = message("has no prediction ", files.id, ".labels.png or ", files.id, ".png in ",
                          root_.string());
  }

 private:
  bool find_in(const std::string& folder, const std::string& name, LabelFiles& files) const {
    for (const std::string_view form : forms) {
      const auto found = paths_.find(std::string(folder).append(name).append(form));
      if (found == paths_.end()) continue;
      files.prediction = found->second.front();
      if (found->second.size() > 1) {
        files.error =
            message("has ", found->second.size(), " predictions of one name, ",
                    found->second[0].string(), " and ", found->second[1].string(), "; keep one");
      }
      return true;
    }
    return false;
  }

  fs::path root_;
  std::map<std::string, std::vector<fs::path>> paths_;
  std::map<std::string, std::set<std::string>> folders_;  // of a name
};

}  // namespace

std::vector<LabelFiles> find_labels(const fs::path& predictions, const fs::path& truths) {
  using Place = std::pair<std::string, std::string>;  // sub-folder and name
  std::map<Place, Truths> photos;
  std::map<std::string, int> namesakes;
  for (const Png& png : pngs_in(truths, predictions)) {
    const auto name = truth_name(png.stem);
    if (!name) continue;
    const auto [photo, added] = photos.try_emplace({png.folder, name->id});
    if (added) ++namesakes[name->id];
    add_truth(photo->second, *name, png);
  }
  const Predictions all(predictions, truths);
  std::vector<LabelFiles> result;
  for (const auto& [place, found] : photos) {
    LabelFiles files{place.first + place.second, {}, {}, found.error};
    for (const auto& [number, path] : found.paths) files.truths.push_back(path);
    if (files.error.empty())
      all.find(place.first, place.second, namesakes[place.second] == 1, files);
    result.push_back(std::move(files));
  }
  std::sort(result.begin(), result.end(),
            [](const LabelFiles& a, const LabelFiles& b) { return a.id < b.id; });
  return result;
}

}  // namespace cli
