// SPDX-License-Identifier: MIT
#include "inputs.hpp"

#include <glob.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <new>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "apart.hpp"
#include "files.hpp"
#include "folder.hpp"
#include "sidecar.hpp"
#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

/// The texts between line ends, or between zeros where there are any.
std::vector<std::string> split_list(const std::string& text) {
  const char separator = text.find('\0') != std::string::npos ? '\0' : '\n';
  std::vector<std::string> lines;
  std::size_t begin = text.starts_with("\xef\xbb\xbf") ? 3 : 0;  // a mark that it is UTF-8
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (separator == '\n' && line.ends_with('\r')) line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

std::vector<std::string> read_list(const std::string& name) {
  if (name == "-") {
    return split_list({std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()});
  }
  const Bytes bytes = read_file(name);
  return split_list({bytes.begin(), bytes.end()});
}

/// What matches a pattern, by name; empty: nothing does. std::bad_alloc where that is not known.
std::vector<std::string> matches(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  const std::unique_ptr<glob_t, decltype(&::globfree)> owner(&found, &::globfree);
  const int status = ::glob(pattern.c_str(), 0, nullptr, &found);
  if (status == GLOB_NOSPACE) throw std::bad_alloc();
  if (status == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  return paths;
}

/// The name that results of a file or folder have: a folder may be written as ".." or end in a
/// slash.
std::string stem_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return path.stem().string();
  const fs::path whole = fs::canonical(path, error);
  if (error) throw diffseg::io_error(path.string() + ": " + why_unreadable(error));
  return whole.filename().string();
}

/// Where the last two parts of a path begin: many manifests have one name in folders of their own.
std::size_t last_two(const std::string& path) {
  const std::size_t last = path.find_last_of('/');
  if (last == std::string::npos || last == 0) return 0;
  const std::size_t before = path.find_last_of('/', last - 1);
  return before == std::string::npos ? 0 : before + 1;
}

class Lister {
 public:
  explicit Lister(const Options& options) : options_(options) {}

  void add_photos(const std::string& text) {
    std::error_code ignored;
    const bool there = fs::exists(text, ignored);
    if (text == "-") {
      add_item({.name = text, .photo = text}, "stdin");
    } else if (text.starts_with('@')) {
      add_list(text, [&](const std::string& line) { add_path(line); });
    } else if (!there && text.find_first_of("*?[") != std::string::npos) {
      const auto found = matches(text);
      if (found.empty()) add_error(text, "matches nothing; check the pattern");
      for (const std::string& path : found) add_path(path);
    } else {
      add_path(text);
    }
  }

  void add_attention(const std::vector<fs::path>& paths) {
    if (paths.size() == 1 && paths[0].string().starts_with('@')) {
      add_list(paths[0].string(), [&](const std::string& line) { add_attention_path(line); });
    } else if (std::all_of(paths.begin(), paths.end(), [](const fs::path& path) {
                 std::error_code ignored;
                 return path.extension() == ".json" || fs::is_directory(path, ignored);
               })) {
      for (const fs::path& path : paths) add_attention_path(path);
    } else {
      add_attention_item(paths, paths.front(), {});
    }
  }

  [[nodiscard]] Inputs finish() && { return std::move(inputs_); }

 private:
  void add_item(Item item, const fs::path& result) {
    // The same file may be named twice, and found in a folder as well.
    const std::string source =
        item.attention.empty() ? item.photo : item.attention.front().string();
    if (!seen_.insert(fs::absolute(source).lexically_normal().string()).second) return;
    item.place = (options_.output / result).string();
    inputs_.items.push_back(std::move(item));
  }

  void add_error(const std::string& name, const std::string& reason) {
    inputs_.items.push_back({.name = name, .error = name + ": " + reason});
  }

  template <class Add>
  void add_list(const std::string& text, const Add& add) {
    const std::string name = text.substr(1);
    std::vector<std::string> lines;
    try {
      lines = read_list(name);
    } catch (const diffseg::io_error& error) {
      inputs_.items.push_back({.name = name, .error = error.what()});
      return;
    }
    if (lines.empty()) add_error(name, "lists nothing; write one path a line");
    for (const std::string& line : lines) add(line);
  }

  /// A folder, or a file whatever its name.
  void add_path(const std::string& path) {
    std::error_code ignored;
    if (path.empty()) {
      add_error("photo", "name must not be empty");
    } else if (fs::is_directory(path, ignored)) {
      add_folder(path);
    } else if (is_result(path) || is_sidecar(path)) {
      inputs_.passed_over.push_back(path);
    } else {
      const std::size_t key = path.find_last_of('/');
      add_item({.name = path, .photo = path, .key = key == std::string::npos ? 0 : key + 1},
               stem_of(path));
    }
  }

  void add_folder(const std::string& folder) {
    const std::string root = folder.ends_with('/') ? folder : folder + '/';
    const std::size_t before = inputs_.items.size();
    const FolderListing listing =
        list_folder(root, options_.recursive, options_.output, is_photo_name);
    for (const auto& [path, reason] : listing.unreadable) add_error(path, reason);
    for (const std::string& file : listing.files) {
      const fs::path relative(file);
      add_item({.name = root + file, .photo = root + file, .key = root.size()},
               relative.parent_path() / relative.stem());
    }
    if (!listing.files.empty() || inputs_.items.size() > before) return;
    add_error(folder,
              message("holds no photo (", photo_suffixes(), ")",
                      options_.recursive ? "" : "; --recursive looks into its folders too"));
  }

  void add_attention_path(const fs::path& path) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      add_attention_folder(path, {}, options_.recursive ? 1'000 : 1);
    } else {
      add_attention_item({path}, path, {});
    }
  }

  /// A folder of one photo, of several manifests, or of such folders, `depth` deep.
  void add_attention_folder(const fs::path& folder, const fs::path& below, int depth) {
    std::error_code error;
    const fs::path whole = fs::canonical(folder, error);
    if (error) return add_error(folder.string(), why_unreadable(error));
    if (!entered_.insert(whole.string()).second && !below.empty()) return;  // links may lead back
    const AttentionFolder found = look_into(folder, options_.output);
    if (!found.unreadable.empty()) return add_error(folder.string(), found.unreadable);
    if (found.manifests.size() > 1) {
      for (const fs::path& manifest : found.manifests)
        add_attention_item({manifest}, manifest, below);
    } else if (!found.manifests.empty() || found.arrays || found.folders.empty() || depth == 0) {
      add_attention_item({folder}, folder, below.parent_path());
      return;
    }
    for (const fs::path& inner : found.folders) {
      if (depth > 0) add_attention_folder(inner, below / inner.filename(), depth - 1);
    }
  }

  void add_attention_item(std::vector<fs::path> paths, const fs::path& source,
                          const fs::path& below) {
    Item item{.name = source.string(), .attention = std::move(paths)};
    std::string stem;
    try {
      stem = stem_of(source);
    } catch (const diffseg::io_error& error) {
      item.error = error.what();
      inputs_.items.push_back(std::move(item));
      return;
    }
    item.key = last_two(item.name);
    std::error_code ignored;
    if (fs::is_directory(options_.image, ignored)) {
      item.photo = image_of(stem);
      if (item.photo.empty()) {
        item.error = message(item.name, ": has no photo ", stem, " in ", options_.image.string(),
                             "; add it, or leave --image out");
      }
    } else {
      item.photo = options_.image.string();
    }
    add_item(std::move(item), below / stem);
  }

  /// The photo of that name in the folder --image; empty: none.
  std::string image_of(const std::string& stem) {
    if (!std::exchange(images_listed_, true)) {
      const std::string root = options_.image.string() + '/';
      for (const std::string& file : list_folder(root, false, {}, is_photo_name).files)
        images_.emplace(fs::path(file).stem().string(), root + file);
    }
    const auto found = images_.find(stem);
    return found == images_.end() ? "" : found->second;
  }

  const Options& options_;
  Inputs inputs_;
  std::unordered_set<std::string> seen_;
  std::unordered_set<std::string> entered_;  // folders of attention
  std::map<std::string, std::string> images_;
  bool images_listed_ = false;
};

}  // namespace

Inputs list_inputs(const Options& options) {
  Lister lister(options);
  for (const std::string& text : options.inputs) lister.add_photos(text);
  if (!options.attention.empty()) lister.add_attention(options.attention);
  Inputs inputs = std::move(lister).finish();
  keep_apart(inputs.items);
  std::erase_if(inputs.items, [&](const Item& item) {
    return !options.shard.has(std::string_view(item.name).substr(item.key));
  });
  return inputs;
}

}  // namespace cli
