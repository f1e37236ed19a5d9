// SPDX-License-Identifier: MIT
#include "sidecar.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "attention_files.hpp"
#include "json_text.hpp"
#include "report_json.hpp"
#include "text.hpp"

#ifndef DIFFSEG_VERSION
#define DIFFSEG_VERSION "unknown version"
#endif

namespace cli {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view first_bytes = "{\n \"diffseg_segment\": ";  // of every sidecar

/// One that is not there has neither size nor date; who reads it will say so.
SourceFile describe(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {path.filename().string()};
  return {path.filename().string(), static_cast<std::uintmax_t>(status.st_size),
          status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec};
}

/// The file there is what somebody else wrote. Asked by opening it: another run may be about to put
/// its own sidecar in its place.
bool is_foreign(const fs::path& path) {
  errno = 0;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return errno != ENOENT && errno != ENOTDIR;
  std::array<char, first_bytes.size()> begin{};
  const ssize_t count = ::read(file, begin.data(), begin.size());
  ::close(file);
  return count != static_cast<ssize_t>(begin.size()) ||
         std::string_view(begin.data(), begin.size()) != first_bytes;
}

fs::path sidecar_of(const Item& item) {
  const fs::path plain = item.place + ".json";
  return is_foreign(plain) ? fs::path(item.place + ".segment.json") : plain;
}

Json sources_json(const std::vector<SourceFile>& sources) {
  Json list = Json::array();
  for (const auto& [name, bytes, modified_ns] : sources)
    list.push_back({{"name", name}, {"bytes", bytes}, {"modified_ns", modified_ns}});
  return list;
}

Json size_json(const std::optional<diffseg::GridSize>& size) {
  return size ? Json{size->height, size->width} : Json();
}

/// Every option that changes a result.
Json results_key(const Options& options) {
  Json nouns = Json::array();
  for (const auto& [word, begin, end] : options.nouns) nouns.push_back({word, begin, end});
  return {{"version", DIFFSEG_VERSION},
          {"attention", !options.attention.empty()},
          {"thresholds", options.thresholds},
          {"segments", options.segments},
          {"sweep", options.sweep},
          {"model_threshold", options.model_threshold},
          {"anchors", size_json(options.anchors)},
          {"refine", options.refine},
          {"tidy", options.tidy},
          {"fit_borders", options.fit_borders.value_or(options.tidy)},
          {"min_area", options.min_area},
          {"size", size_json(options.size)},
          {"formats", options.formats},
          {"overlay", options.overlay},
          {"sinks", options.sinks ? Json(*options.sinks) : Json()},
          {"skip", {options.skip.first, options.skip.last}},
          {"nouns", nouns}};
}

/// Whether the results that a sidecar lists are all there.
bool are_there(const Json& results, const std::string& place) {
  for (const Json& result : results) {
    std::error_code error;
    const auto bytes = fs::file_size(place + result.at("suffix").get<std::string>(), error);
    if (error || bytes != result.at("bytes").get<std::uintmax_t>()) return false;
  }
  return !results.empty();
}

}  // namespace

std::vector<SourceFile> sources_of(const Item& item) {
  std::vector<SourceFile> sources;
  if (!item.photo.empty() && item.photo != "-") sources.push_back(describe(item.photo));
  if (item.attention.empty()) return sources;
  for (const fs::path& file : files_of(item.attention)) sources.push_back(describe(file));
  return sources;
}

std::string options_hash(const Options& options) {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (const char letter : one_line(results_key(options)))
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
  std::array<char, 17> text{};
  (void)std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

bool is_sidecar(const fs::path& path) {
  std::error_code ignored;
  return path.extension() == ".json" && fs::is_regular_file(path, ignored) && !is_foreign(path);
}

void add_sidecar(std::vector<OutputFile>& results, const Item& item, const PhotoReport& report,
                 const std::vector<SourceFile>& sources, const Options& options) {
  Json json{{"diffseg_segment", 1},
            {"version", DIFFSEG_VERSION},
            {"options", options_hash(options)},
            {"sources", sources_json(sources)},
            {"results", Json::array()}};
  // Results may move, together with this; and names need not be UTF-8, as JSON is.
  PhotoReport relative = report;
  for (std::size_t i = 0; i < results.size(); ++i) {
    auto& [kind, file] = relative.files[i];
    const std::string suffix = file.string().substr(item.place.size());
    json["results"].push_back(
        {{"kind", kind}, {"suffix", suffix}, {"bytes", results[i].bytes.size()}});
    file = file.filename();
  }
  json.update(to_json(relative));
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
  results.push_back({sidecar_of(item), {text.begin(), text.end()}});
}

std::optional<PhotoReport> done_before(const Item& item, const std::vector<SourceFile>& sources,
                                       const Options& options) {
  if (item.photo == "-") return {};  // nobody knows whether it is the same
  const fs::path path = sidecar_of(item);
  if (!is_sidecar(path)) return {};
  try {
    const Json json = parse_json<Json>(read_file(path));
    const bool same = json.at("options") == options_hash(options) &&
                      one_line(json.at("sources")) == one_line(sources_json(sources)) &&
                      are_there(json.at("results"), item.place);
    if (!same) return {};
    PhotoReport report = report_from(json);
    report.name = item.name;
    report.photo = item.photo;
    report.attention = item.attention;
    report.skipped = true;
    report.files.clear();
    for (const Json& result : json.at("results")) {
      report.files.emplace_back(result.at("kind").get<std::string>(),
                                item.place + result.at("suffix").get<std::string>());
    }
    return report;
  } catch (const std::exception&) {  // cut off, or of another version: to be done
    return {};
  }
}

}  // namespace cli
