// SPDX-License-Identifier: MIT
#include "manifest.hpp"

#include <algorithm>
#include <cmath>
#include <diffseg/io/error.hpp>
#include <initializer_list>
#include <string_view>

#include "files.hpp"
#include "json_text.hpp"
#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;
using diffseg::GridSize;
using diffseg::Index;
using diffseg::LayerKind;

namespace {

using Value = nlohmann::json;

/// Bytes that a manifest has at most; as values they take up to 20 times as many.
constexpr std::size_t most_bytes = 16'000'000;

/// A value for a message, its end left out where it is long.
std::string shown(const Value& value) {
  constexpr std::size_t most = 80;
  const std::string text = value.dump();
  return text.size() <= most ? text : text.substr(0, most) + "...";
}

/// An object of the manifest that knows where it stands, for messages.
class Reader {
 public:
  Reader(const fs::path& manifest, const Value& object, std::string place)
      : manifest_(manifest), object_(object), place_(std::move(place)) {}

  template <class... Parts>
  [[noreturn]] void refuse(const std::string& field, const Parts&... parts) const {
    const char* const dot = place_.empty() || field.empty() ? "" : ".";
    const std::string at = place_ + dot + field;
    throw diffseg::io_error(plain(message(manifest_.string(), ": ", at.empty() ? "manifest" : at,
                                          ": ", parts..., "; see docs/real_attention.md")));
  }

  /// Refuses what is no object, and every field but `known`.
  void allow(std::initializer_list<std::string_view> known) const {
    if (!object_.is_object()) refuse("", "must be an object");
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      std::string list;
      for (const std::string_view name : known) list.append(list.empty() ? "" : ", ").append(name);
      refuse(key, "is not known here; known are ", list);
    }
  }

  [[nodiscard]] bool has(const char* field) const { return object_.contains(field); }

  /// "" when absent.
  [[nodiscard]] std::string text(const char* field) const {
    if (!has(field)) return {};
    const Value& value = object_[field];
    if (!value.is_string() || value.get_ref<const std::string&>().empty())
      refuse(field, "must be a text, not empty");
    return value;
  }

  /// Finite and at least or above 0; nothing when absent.
  [[nodiscard]] std::optional<double> number(const char* field, bool zero) const {
    if (!has(field)) return {};
    const Value& value = object_[field];
    const double number = value.is_number() ? value.get<double>() : -1.0;
    if (std::isfinite(number) && (zero ? number >= 0 : number > 0)) return number;
    refuse(field, "must be a number ", zero ? ">= 0" : "> 0", ", got ", shown(value));
  }

  /// {} when absent.
  [[nodiscard]] GridSize grid(const char* field) const {
    if (!has(field)) return {};
    const Value& value = object_[field];
    const auto extent = [](const Value& side) {
      return side.is_number_unsigned() && side > 0 && side <= 1'000'000;
    };
    const bool good =
        value.is_array() && value.size() == 2 && std::all_of(value.begin(), value.end(), extent);
    if (!good) refuse(field, "must be [height, width], both >= 1, got ", shown(value));
    return {value[0].get<Index>(), value[1].get<Index>()};
  }

  /// None when absent.
  [[nodiscard]] std::optional<diffseg::SkipTokens> skip(const char* field) const {
    if (!has(field)) return {};
    const Reader inner(manifest_, object_[field], (place_.empty() ? "" : place_ + ".") + field);
    inner.allow({"first", "last", "ranges"});
    diffseg::SkipTokens skip{.first = inner.count("first"), .last = inner.count("last")};
    for (const Value& range : inner.list("ranges")) {
      const bool good = range.is_array() && range.size() == 2 && is_count(range[0]) &&
                        is_count(range[1]) && range[0] < range[1];
      if (!good)
        inner.refuse("ranges", "must be [begin, end] of tokens counted from 0, the end not ",
                     "skipped, got ", shown(range));
      skip.ranges.push_back({range[0].get<Index>(), range[1].get<Index>()});
    }
    return skip;
  }

  /// Empty when absent.
  [[nodiscard]] Value list(const char* field) const {
    if (!has(field)) return Value::array();
    if (!object_[field].is_array()) refuse(field, "must be a list");
    return object_[field];
  }

 private:
  static bool is_count(const Value& value) {
    return value.is_number_unsigned() && value <= 1'000'000'000;
  }

  /// A number of tokens, 0 when absent.
  [[nodiscard]] Index count(const char* field) const {
    if (!has(field)) return 0;
    if (!is_count(object_[field]))
      refuse(field, "must be a number of tokens >= 0, got ", shown(object_[field]));
    return object_[field].get<Index>();
  }

  const fs::path& manifest_;
  const Value& object_;
  std::string place_;
};

LayerKind read_kind(const Reader& reader) {
  const std::string kind = reader.text("kind");
  if (kind.empty() || kind == "probabilities") return LayerKind::probabilities;
  if (kind == "scores") return LayerKind::scores;
  if (kind == "queries_keys") return LayerKind::queries_keys;
  reader.refuse("kind", "must be probabilities, scores or queries_keys, got ", kind);
}

/// The names of the arrays: one, or that of the queries and that of the keys.
void read_arrays(const Reader& reader, ManifestEntry& entry) {
  const bool pair = entry.kind == LayerKind::queries_keys;
  entry.array = reader.text(pair ? "query" : "array");
  entry.key_array = pair ? reader.text("key") : "";
  if (entry.file.extension() == ".npy") {
    if (pair) reader.refuse("file", "must hold two arrays, a .npy file holds one");
    return;
  }
  for (const char* field : {"query", "key", "array"}) {
    const bool wanted = pair == (std::string_view(field) != "array");
    if (wanted && !reader.has(field)) reader.refuse(field, "is missing");
  }
}

/// What the manifest says for all entries that do not say it themselves.
struct Shared {
  fs::path file;
  diffseg::SkipTokens skip;
};

/// Whether a name within a manifest is one of another folder.
bool leads_out(const fs::path& file) {
  return file.has_root_path() || *file.lexically_normal().begin() == "..";
}

ManifestEntry read_entry(const fs::path& path, const Value& object, const std::string& place,
                         const Shared& shared, bool cross) {
  const Reader reader(path, object, place);
  if (cross) {
    reader.allow({"file", "array", "queries", "weight"});
  } else {
    reader.allow(
        {"file", "kind", "array", "query", "key", "scale", "queries", "keys", "skip", "weight"});
  }
  ManifestEntry entry;
  entry.field = place;
  entry.kind = read_kind(reader);
  const bool pair = entry.kind == LayerKind::queries_keys;
  for (const char* field : {"query", "key", "scale"}) {
    if (!pair && reader.has(field)) reader.refuse(field, "belongs to the kind queries_keys");
  }
  if (pair && reader.has("array")) reader.refuse("array", "is called query and key in this kind");
  entry.file = reader.has("file") ? fs::path(reader.text("file")) : shared.file;
  if (entry.file.empty()) reader.refuse("file", "is missing, here and in the manifest itself");
  if (leads_out(entry.file))
    reader.refuse("file", "must lie in the folder of the manifest or below it, got ",
                  entry.file.string());
  entry.file = path.parent_path() / entry.file;
  read_arrays(reader, entry);
  entry.queries = reader.grid("queries");
  entry.keys = reader.grid("keys");
  if (!cross) entry.skip = reader.skip("skip").value_or(shared.skip);
  entry.scale = reader.number("scale", false).value_or(0.0);
  entry.weight = reader.number("weight", true);
  return entry;
}

std::vector<ManifestEntry> read_entries(const Reader& root, const fs::path& path,
                                        const char* field) {
  std::vector<ManifestEntry> entries;
  const bool cross = std::string_view(field) == "cross";
  const Shared shared{root.text("file"), root.skip("skip").value_or(diffseg::SkipTokens{})};
  for (const Value& object : root.list(field)) {
    const std::string place = message(field, '[', entries.size(), ']');
    entries.push_back(read_entry(path, object, place, shared, cross));
    if (entries.front().weight.has_value() != entries.back().weight.has_value())
      root.refuse(place + ".weight", "must be given for all entries of ", field, " or for none");
  }
  const auto weighs = [](const ManifestEntry& entry) { return entry.weight.value_or(1.0) > 0; };
  if (!entries.empty() && std::none_of(entries.begin(), entries.end(), weighs))
    root.refuse(field, "must have a weight above 0");
  return entries;
}

std::vector<std::string> read_tokens(const Reader& root) {
  std::vector<std::string> tokens;
  for (const Value& token : root.list("tokens")) {
    if (!token.is_string()) root.refuse(message("tokens[", tokens.size(), ']'), "must be a text");
    tokens.push_back(token);
  }
  return tokens;
}

Value parse(std::span<const unsigned char> bytes, const fs::path& path) {
  const auto refuse = [&](const char* reason) {
    throw diffseg::io_error(
        plain(message(path.string(), ": manifest: is no JSON (", reason, "); repair it")));
  };
  try {
    return parse_json(bytes);
  } catch (const Value::exception& error) {
    refuse(error.what());
  } catch (const diffseg::io_error& error) {
    refuse(error.what());
  }
  return {};
}

bool lies_below(const fs::path& file, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first ==
         folder.end();
}

/// Refuses files that links lead out of the manifest's folder: that where it is named, or that
/// where it lies itself. Of what is not there its reader will say so.
void check_links(const std::vector<ManifestEntry>& entries, const fs::path& path) {
  std::error_code error;
  const fs::path named = fs::canonical(path.parent_path() / ".", error);
  const fs::path own = fs::canonical(path, error).parent_path();
  for (const ManifestEntry& entry : entries) {
    const fs::path file = fs::canonical(entry.file, error);
    if (error || lies_below(file, named) || lies_below(file, own)) continue;
    throw diffseg::io_error(plain(message(
        path.string(), ": ", entry.field,
        ".file: must lie in the folder of the manifest or below it, but ", entry.file.string(),
        " is a link to ", file.string(), "; copy it there, or link the whole folder")));
  }
}

}  // namespace

Manifest parse_manifest(std::span<const unsigned char> bytes, const fs::path& path) {
  const Value json = parse(bytes, path);
  const Reader root(path, json, "");
  root.allow(
      {"diffseg", "model", "prompt", "timestep", "file", "skip", "layers", "cross", "tokens"});
  if (!root.has("diffseg") || json["diffseg"] != 1) root.refuse("diffseg", "must be 1");
  static_cast<void>(root.number("timestep", true));
  if (root.has("prompt") && !json["prompt"].is_string()) root.refuse("prompt", "must be a text");
  Manifest manifest{root.text("model"), read_entries(root, path, "layers"),
                    read_entries(root, path, "cross"), read_tokens(root)};
  if (manifest.layers.empty()) root.refuse("layers", "must list at least one layer");
  return manifest;
}

Manifest read_manifest(const fs::path& path) {
  std::error_code ignored;
  const auto status = fs::status(path, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status))
    throw diffseg::io_error(path.string() + ": manifest: is a pipe or a device; give a file");
  Manifest manifest = parse_manifest(read_file(path, most_bytes), path);
  for (const auto* const entries : {&manifest.layers, &manifest.cross}) check_links(*entries, path);
  return manifest;
}

}  // namespace cli
