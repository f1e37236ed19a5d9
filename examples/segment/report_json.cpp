// SPDX-License-Identifier: MIT
#include "report_json.hpp"

namespace cli {

namespace {

Json size_json(diffseg::GridSize size) {
  return {{"height", size.height}, {"width", size.width}};
}

diffseg::GridSize size_from(const Json& json) {
  return {json.at("height").get<diffseg::Index>(), json.at("width").get<diffseg::Index>()};
}

Json sweep_json(const std::vector<diffseg::SweepPoint>& sweep) {
  Json list = Json::array();
  for (const diffseg::SweepPoint& point : sweep) {
    list.push_back({{"threshold", point.threshold},
                    {"segments", point.segments},
                    {"information", point.information},
                    {"entropy", point.entropy},
                    {"score", point.score}});
  }
  return list;
}

diffseg::SweepPoint point_from(const Json& json) {
  diffseg::SweepPoint point;
  json.at("threshold").get_to(point.threshold);
  json.at("segments").get_to(point.segments);
  json.at("information").get_to(point.information);
  json.at("entropy").get_to(point.entropy);
  json.at("score").get_to(point.score);
  return point;
}

/// What is the same for every photo that worked.
void add_results(Json& json, const PhotoReport& report) {
  if (!report.photo.empty()) json["size"] = size_json(report.size);
  json["grid"] = size_json(report.grid);
  json["label_size"] = size_json(report.label_size);
  json["thresholds"] = report.thresholds;
  json["labels"] = report.shares.size();
  json["shares"] = report.shares;
  json["proposals"] = report.per_iteration;
  for (const auto& [word, labels] : report.names)
    json["names"].push_back({{"word", word}, {"labels", labels}});
  if (!report.sweep.empty()) json["sweep"] = sweep_json(report.sweep);
  if (!report.hint.empty()) json["hint"] = report.hint;
  if (!report.note.empty()) json["note"] = report.note;
  json["milliseconds"] = {{"read", report.read_milliseconds},
                          {"segment", report.segment_milliseconds},
                          {"write", report.write_milliseconds}};
  for (const auto& [kind, file] : report.files) json["files"][kind] = file.string();
}

}  // namespace

Json to_json(const PhotoReport& report) {
  Json json;
  if (report.attention.empty() || !report.photo.empty()) json["photo"] = report.photo.string();
  for (const auto& path : report.attention) json["attention"].push_back(path.string());
  json["ok"] = report.error.empty();
  if (!report.error.empty()) {
    json["error"] = report.error;
    return json;
  }
  if (report.skipped) json["skipped"] = true;
  add_results(json, report);
  return json;
}

PhotoReport report_from(const Json& json) {
  PhotoReport report;
  if (json.contains("photo")) report.photo = json.at("photo").get<std::string>();
  for (const Json& path : json.value("attention", Json::array()))
    report.attention.emplace_back(path.get<std::string>());
  if (json.contains("size")) report.size = size_from(json.at("size"));
  report.grid = size_from(json.at("grid"));
  report.label_size = size_from(json.at("label_size"));
  json.at("thresholds").get_to(report.thresholds);
  json.at("shares").get_to(report.shares);
  json.at("proposals").get_to(report.per_iteration);
  for (const Json& name : json.value("names", Json::array())) {
    report.names.push_back(
        {name.at("word").get<std::string>(), name.at("labels").get<std::vector<std::int32_t>>()});
  }
  for (const Json& point : json.value("sweep", Json::array()))
    report.sweep.push_back(point_from(point));
  report.hint = json.value("hint", "");
  report.note = json.value("note", "");
  const Json& times = json.at("milliseconds");
  times.at("read").get_to(report.read_milliseconds);
  times.at("segment").get_to(report.segment_milliseconds);
  times.at("write").get_to(report.write_milliseconds);
  for (const auto& [kind, file] : json.at("files").items())
    report.files.emplace_back(kind, file.get<std::string>());
  return report;
}

std::string one_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace cli
