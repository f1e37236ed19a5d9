// SPDX-License-Identifier: MIT
#include "apart.hpp"

#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

using Groups = std::unordered_map<std::string, std::vector<Item*>>;

/// The items by where their results go.
Groups by_place(std::vector<Item>& items) {
  Groups groups;
  for (Item& item : items) {
    if (item.error.empty())
      groups[fs::path(item.place).lexically_normal().string()].push_back(&item);
  }
  return groups;
}

/// Inputs of one name get their suffix too (a.jpg, a.png), those of several folders the folder's
/// name before it.
void rename_group(const std::vector<Item*>& group) {
  std::map<fs::path, int> folders;
  for (const Item* item : group) ++folders[fs::path(item->name).parent_path()];
  for (Item* item : group) {
    const fs::path name(item->name);
    fs::path place(item->place);
    if (folders[name.parent_path()] > 1) place.replace_filename(name.filename());
    if (folders.size() > 1)
      place = place.parent_path() / name.parent_path().filename() / place.filename();
    item->place = place.string();
  }
}

}  // namespace

void keep_apart(std::vector<Item>& items) {
  for (const auto& [place, group] : by_place(items)) {
    if (group.size() > 1) rename_group(group);
  }
  for (const auto& [place, group] : by_place(items)) {
    if (group.size() == 1) continue;
    throw std::invalid_argument(message(group[0]->name, " and ", group[1]->name,
                                        ": the results of both would be ", place,
                                        ".labels.png; give them --output folders of their own"));
  }
}

}  // namespace cli
