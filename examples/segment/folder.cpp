// SPDX-License-Identifier: MIT
#include "folder.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string_view>
#include <system_error>

#include "array_files.hpp"
#include "formats/formats.hpp"
#include "sidecar.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 6> suffixes{".jpg",  ".jpeg", ".jpe",
                                                   ".jfif", ".png",  ".webp"};

bool is_hidden(const fs::path& name) {
  return name.string().starts_with('.') || name == "__MACOSX";
}

/// The folder that results go to, where it lies inside of others; empty: none.
fs::path canonical_results(const fs::path& results) {
  std::error_code ignored;
  return results.empty() ? fs::path() : fs::weakly_canonical(results, ignored);
}

/// Walks folders; each once, whatever links there are.
class Walk {
 public:
  Walk(std::string root, const fs::path& results, bool (*wanted)(const fs::path&))
      : root_(std::move(root)), results_(canonical_results(results)), wanted_(wanted) {}

  void enter(const std::string& below, bool recursive) {
    std::error_code error;
    const fs::path folder = root_ + below;
    const fs::path canonical = fs::canonical(folder, error);
    if (error) return add_unreadable(folder, error);
    if (!visited_.insert(canonical).second) return;
    if (!below.empty() && canonical == results_) return;
    fs::directory_iterator entries(folder, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error))
      add(*entries, below, recursive);
    if (error) add_unreadable(folder, error);
  }

  [[nodiscard]] FolderListing finish() && {
    std::sort(listing_.files.begin(), listing_.files.end());
    std::sort(listing_.unreadable.begin(), listing_.unreadable.end());
    return std::move(listing_);
  }

 private:
  void add_unreadable(const fs::path& folder, const std::error_code& error) {
    listing_.unreadable.emplace_back(folder.string(), why_unreadable(error));
  }

  void add(const fs::directory_entry& entry, const std::string& below, bool recursive) {
    std::error_code ignored;
    const std::string name = entry.path().filename().string();
    if (is_hidden(name)) return;
    if (entry.is_directory(ignored)) {
      if (recursive) enter(below + name + '/', true);
    } else if (!wanted_(name) || is_result(name)) {
      return;
    } else if (entry.is_regular_file(ignored) || !entry.exists(ignored)) {
      listing_.files.push_back(below + name);
    } else {  // nobody named it, and it might have no end
      listing_.unreadable.emplace_back(entry.path().string(),
                                       "is a pipe or a device; give a file, or its own name");
    }
  }

  std::string root_;
  fs::path results_;
  bool (*wanted_)(const fs::path&);
  FolderListing listing_;
  std::set<fs::path> visited_;
};

}  // namespace

std::string why_unreadable(const std::error_code& error) {
  return "cannot be read (" + error.message() + "); check its permissions";
}

bool is_photo_name(const fs::path& name) {
  std::string suffix = name.extension().string();
  for (char& letter : suffix)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return std::find(suffixes.begin(), suffixes.end(), suffix) != suffixes.end();
}

std::string photo_suffixes() {
  std::string text;
  for (const std::string_view suffix : suffixes)
    text.append(text.empty() ? "" : ", ").append(suffix);
  return text;
}

bool is_result(const fs::path& name) {
  const std::string file = name.filename().string();
  const auto ends = result_suffixes();
  return name.stem().string().ends_with(".overlay") ||
         std::any_of(ends.begin(), ends.end(), [&](auto end) { return file.ends_with(end); });
}

FolderListing list_folder(const std::string& root, bool recursive, const fs::path& results,
                          bool (*wanted)(const fs::path&)) {
  Walk walk(root, results, wanted);
  walk.enter("", recursive);
  return std::move(walk).finish();
}

AttentionFolder look_into(const fs::path& folder, const fs::path& results) {
  AttentionFolder found;
  const fs::path own = canonical_results(results);
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code ignored;
    const fs::path& path = entries->path();
    if (is_hidden(path.filename())) continue;
    if (entries->is_directory(ignored)) {
      if (fs::canonical(path, ignored) != own) found.folders.push_back(path);
    } else if (path.extension() == ".json") {
      if (!is_sidecar(path)) found.manifests.push_back(path);
    } else {
      found.arrays = found.arrays || ArrayFiles::reads(path);
    }
  }
  if (error) found.unreadable = why_unreadable(error);
  std::sort(found.manifests.begin(), found.manifests.end());
  std::sort(found.folders.begin(), found.folders.end());
  return found;
}

}  // namespace cli
