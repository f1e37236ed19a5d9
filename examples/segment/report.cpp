// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>

namespace cli {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(diffseg::GridSize size) {
  return {{"height", size.height}, {"width", size.width}};
}

Json to_json(const PhotoReport& report) {
  Json json{{"photo", report.photo.string()}, {"ok", report.error.empty()}};
  if (!report.error.empty()) {
    json["error"] = report.error;
    return json;
  }
  json["size"] = to_json(report.size);
  json["grid"] = to_json(report.grid);
  json["label_size"] = to_json(report.label_size);
  json["labels"] = report.shares.size();
  json["shares"] = report.shares;
  json["proposals"] = report.per_iteration;
  json["milliseconds"] = {{"read", report.read_milliseconds},
                          {"segment", report.segment_milliseconds},
                          {"write", report.write_milliseconds}};
  json["files"] = {{"labels", report.label_file.string()},
                   {"overlay", report.overlay_file.string()}};
  return json;
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
  for (const PhotoReport& report : reports) photos.push_back(to_json(report));
  const Json json{{"thresholds", options.thresholds}, {"photos", std::move(photos)}};
  // File names need not be UTF-8.
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

void print_text(std::ostream& out, const std::vector<PhotoReport>& reports) {
  for (const PhotoReport& report : reports) {
    if (!report.error.empty()) continue;
    out << report.photo.string() << ": " << report.size.height << "x" << report.size.width << ", "
        << report.shares.size() << " segments in " << std::fixed << std::setprecision(0)
        << report.segment_milliseconds << " ms -> " << report.label_file.string() << ", "
        << report.overlay_file.string() << '\n';
  }
}

void print_profile(std::ostream& out, const diffseg::Profile& profile) {
  out << std::left << std::setw(28) << "stage" << std::right << std::setw(6) << "calls"
      << std::setw(11) << "ms" << std::setw(11) << "MB" << std::setw(9) << "share" << '\n'
      << std::fixed;
  for (const diffseg::ProfileRow& row : profile.rows()) {
    const std::string name = std::string(2 * static_cast<std::size_t>(row.depth), ' ') + row.stage;
    out << std::left << std::setw(28) << name << std::right << std::setw(6) << row.calls
        << std::setprecision(2) << std::setw(11) << row.milliseconds << std::setprecision(1)
        << std::setw(11) << static_cast<double>(row.bytes) / 1e6 << std::setw(8)
        << 100.0 * row.share << "%\n";
  }
}

}  // namespace cli
