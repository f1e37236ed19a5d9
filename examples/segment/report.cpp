// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>

#include "bandwidth.hpp"

namespace cli {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(diffseg::GridSize size) {
  return {{"height", size.height}, {"width", size.width}};
}

Json strings(const std::vector<std::filesystem::path>& paths) {
  Json list = Json::array();
  for (const auto& path : paths) list.push_back(path.string());
  return list;
}

Json to_json(const Options& options, const PhotoReport& report) {
  Json json;
  if (options.attention.empty() || !report.photo.empty()) json["photo"] = report.photo.string();
  if (!options.attention.empty()) json["attention"] = strings(options.attention);
  json["ok"] = report.error.empty();
  if (!report.error.empty()) {
    json["error"] = report.error;
    return json;
  }
  if (!report.photo.empty()) json["size"] = to_json(report.size);
  json["grid"] = to_json(report.grid);
  json["label_size"] = to_json(report.label_size);
  json["thresholds"] = report.thresholds;
  json["labels"] = report.shares.size();
  json["shares"] = report.shares;
  json["proposals"] = report.per_iteration;
  for (const auto& [word, labels] : report.names)
    json["names"].push_back({{"word", word}, {"labels", labels}});
  for (const diffseg::SweepPoint& point : report.sweep) {
    json["sweep"].push_back({{"threshold", point.threshold},
                             {"segments", point.segments},
                             {"information", point.information},
                             {"entropy", point.entropy},
                             {"score", point.score}});
  }
  if (!report.hint.empty()) json["hint"] = report.hint;
  json["milliseconds"] = {{"read", report.read_milliseconds},
                          {"segment", report.segment_milliseconds},
                          {"write", report.write_milliseconds}};
  for (std::size_t i = 0; i < report.format_files.size(); ++i) {
    const Format format = options.formats[i];
    const std::string key(format == Format::png ? "labels" : name_of(format));
    json["files"][key] = report.format_files[i].string();
  }
  if (!report.overlay_file.empty()) json["files"]["overlay"] = report.overlay_file.string();
  return json;
}

void print_names(std::ostream& out, const PhotoReport& report) {
  for (const auto& [word, labels] : report.names) {
    out << "  " << word << ':';
    for (const std::int32_t label : labels) out << ' ' << label;
    out << '\n';
  }
}

void print_sweep(std::ostream& out, const PhotoReport& report) {
  if (report.sweep.empty()) return;
  out << "  threshold  segments  information  entropy   score\n" << std::setprecision(3);
  for (const diffseg::SweepPoint& point : report.sweep) {
    out << std::setw(11) << point.threshold << std::setw(10) << point.segments << std::setw(13)
        << point.information << std::setw(9) << point.entropy << std::setw(8) << point.score
        << '\n';
  }
}

/// What the thresholds of all photos are: numbers, or how they are chosen.
Json wanted_thresholds(const Options& options) {
  if (!options.thresholds.empty()) return options.thresholds;
  if (options.segments > 0) return {{"segments", options.segments}};
  return options.model_threshold ? "model" : "auto";
}

}  // namespace

std::vector<double> pixel_shares(const diffseg::Labels& labels) {
  std::vector<double> shares(static_cast<std::size_t>(labels.count()));
  for (const std::int32_t label : labels.values) shares[static_cast<std::size_t>(label)] += 1.0;
  for (double& share : shares) share /= static_cast<double>(labels.values.size());
  return shares;
}

void print_json(std::ostream& out, const Options& options,
                const std::vector<PhotoReport>& reports) {
  Json photos = Json::array();
  for (const PhotoReport& report : reports) photos.push_back(to_json(options, report));
  const Json json{{"thresholds", wanted_thresholds(options)}, {"photos", std::move(photos)}};
  // File names need not be UTF-8.
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

void print_text(std::ostream& out, const Options& options,
                const std::vector<PhotoReport>& reports) {
  for (const PhotoReport& report : reports) {
    if (!report.error.empty()) continue;
    const auto& name = options.attention.empty() ? report.photo : options.attention.front();
    const auto& size = report.photo.empty() ? report.label_size : report.size;
    out << name.string() << ": " << size.height << "x" << size.width << ", " << report.shares.size()
        << " segments in " << std::fixed << std::setprecision(0) << report.segment_milliseconds
        << " ms -> ";
    const char* comma = "";
    for (const auto& file : report.format_files) out << std::exchange(comma, ", ") << file.string();
    if (!report.overlay_file.empty()) out << ", " << report.overlay_file.string();
    out << '\n';
    print_names(out, report);
    print_sweep(out, report);
  }
}

void print_profile(std::ostream& out, const diffseg::Profile& profile) {
  out << std::left << std::setw(28) << "stage" << std::right << std::setw(6) << "calls"
      << std::setw(11) << "ms" << std::setw(11) << "MB" << std::setw(9) << "share" << '\n'
      << std::fixed;
  for (const diffseg::Profile::Row& row : profile.rows()) {
    const std::string name = std::string(2 * static_cast<std::size_t>(row.depth), ' ') + row.stage;
    out << std::left << std::setw(28) << name << std::right << std::setw(6) << row.calls
        << std::setprecision(2) << std::setw(11) << row.milliseconds << std::setprecision(1)
        << std::setw(11) << static_cast<double>(row.bytes) / 1e6 << std::setw(8)
        << 100.0 * row.share << "%\n";
  }
}

void print_bottleneck(std::ostream& out, const diffseg::Profile& profile) {
  double total = 0;
  diffseg::Profile::Row slowest;
  for (const diffseg::Profile::Row& row : profile.rows()) {
    if (row.depth > 0) continue;
    total += row.milliseconds;
    if (row.milliseconds > slowest.milliseconds) slowest = row;
  }
  if (total == 0) return;
  out << std::fixed << std::setprecision(0) << "Bottleneck: " << slowest.stage << ", "
      << 100 * slowest.share << " % of " << std::setprecision(1) << total << " ms";
  const auto bytes = static_cast<double>(slowest.bytes);
  const double bandwidth = slowest.bytes > 0 ? read_bandwidth() : 0;
  if (bandwidth > 0) {
    out << "; it goes through " << bytes / 1e6 << " MB, which take " << 1e3 * bytes / bandwidth
        << " ms to read once at this machine's " << bandwidth / 1e9 << " GB/s";
  }
  out << ".\n";
}

}  // namespace cli
