// SPDX-License-Identifier: MIT
#include "report_json.hpp"

#include <diffseg/io/error.hpp>
#include <map>
#include <string>
#include <utility>

#include "files.hpp"
#include "json_text.hpp"
#include "text.hpp"

namespace cli {

namespace fs = std::filesystem;
using diffseg::ClassCounts;
using diffseg::Index;

namespace {

Json to_json(const ClassCounts& counts) {
  return {{"true_positives", counts.true_positives},
          {"false_positives", counts.false_positives},
          {"false_negatives", counts.false_negatives},
          {"pixels", counts.pixels}};
}

ClassCounts class_counts_from(const Json& json, Index classes) {
  ClassCounts counts{json.at("true_positives"), json.at("false_positives"),
                     json.at("false_negatives"), json.at("pixels")};
  for (const auto* list :
       {&counts.true_positives, &counts.false_positives, &counts.false_negatives}) {
    if (static_cast<Index>(list->size()) != classes)
      throw diffseg::io_error("class_pixels: the lists must have a number for each class");
  }
  return counts;
}

PhotoScore photo_from(const Json& json) {
  PhotoScore photo{.id = json.at("photo")};
  if (!json.at("ok").get<bool>()) {
    photo.error = json.at("error");
    if (photo.error.empty()) throw diffseg::io_error("photos: error: must not be empty");
    return photo;
  }
  photo.size = {json.at("size").at("height"), json.at("size").at("width")};
  photo.truths = json.at("truths");
  photo.segments = json.at("segments");
  if (!photo.scored()) return photo;
  photo.scores.covering = json.at("covering");
  photo.scores.rand_index = json.at("probabilistic_rand_index");
  photo.scores.variation_of_information = json.at("variation_of_information");
  photo.scores.adjusted_rand_index = json.at("adjusted_rand_index");
  photo.borders = json.at("border_f_measure");
  return photo;
}

Report read_report(const fs::path& file) {
  try {
    const Json json = parse_json<Json>(read_file(file));
    Report report;
    for (const Json& photo : json.at("photos")) report.photos.push_back(photo_from(photo));
    if (json.contains("class_pixels")) report.classes = class_sums_from(json.at("class_pixels"));
    return report;
  } catch (const Json::exception& error) {
    throw diffseg::io_error(message(file.string(), ": is no report of evaluate (", error.what(),
                                    "); give what evaluate --json printed"));
  } catch (const diffseg::io_error& error) {
    const std::string text = error.what();
    if (text.starts_with(file.string())) throw;
    throw diffseg::io_error(message(file.string(), ": ", text,
                                    "; give what evaluate --json "
                                    "printed"));
  }
}

/// A photo and the report that it is from.
struct Origin {
  PhotoScore photo;
  fs::path file;
};

void add_photo(std::map<std::string, Origin>& photos, PhotoScore photo, const fs::path& file) {
  const auto [found, added] = photos.try_emplace(photo.id, Origin{photo, file});
  if (added || !photo.error.empty()) return;
  Origin& before = found->second;
  if (before.photo.error.empty()) {
    throw diffseg::io_error(message(file.string(), ": ", photo.id, " is scored in ",
                                    before.file.string(), " too; give each photo once"));
  }
  before = {std::move(photo), file};
}

void add_classes(Report& all, const Report& report, const fs::path& file) {
  const auto count = [](const Report& one) { return one.classes ? one.classes->table.rows() : 0; };
  if (count(all) != count(report)) {
    throw diffseg::io_error(message(file.string(), ": has ", count(report),
                                    " classes, the report before it ", count(all),
                                    "; evaluate all with the same --classes"));
  }
  if (all.classes) *all.classes += *report.classes;
}

}  // namespace

Json to_json(const ClassSums& sums) {
  Json table = Json::array();
  for (Index row = 0; row < sums.table.rows(); ++row) {
    for (diffseg::SparseCounts::InnerIterator entry(sums.table, row); entry; ++entry) {
      table.push_back({row, entry.col(), entry.value()});
    }
  }
  return {{"classes", sums.table.rows()},
          {"predictions", sums.table.cols()},
          {"unmatched_ignored", to_json(sums.ignored)},
          {"unmatched_as_false_positives", to_json(sums.false_positives)},
          {"confusion", std::move(table)}};
}

ClassSums class_sums_from(const Json& json) {
  const auto side = [&](const char* name) {
    const Index value = json.at(name);
    if (value < 0 || value > 65536)
      throw diffseg::io_error(
          message("class_pixels: ", name, ": must be in 0..65536, got ", value));
    return value;
  };
  ClassSums sums = ClassSums::none(side("classes"));
  sums.ignored = class_counts_from(json.at("unmatched_ignored"), sums.table.rows());
  sums.false_positives =
      class_counts_from(json.at("unmatched_as_false_positives"), sums.table.rows());
  sums.table.conservativeResize(sums.table.rows(), side("predictions"));
  std::vector<Eigen::Triplet<std::int64_t, Index>> entries;
  for (const Json& entry : json.at("confusion")) {
    const Index row = entry.at(0);
    const Index column = entry.at(1);
    if (row < 0 || row >= sums.table.rows() || column < 0 || column >= sums.table.cols())
      throw diffseg::io_error(message("class_pixels: confusion: ", entry.dump(), " lies outside"));
    entries.emplace_back(row, column, entry.at(2).get<std::int64_t>());
  }
  sums.table.setFromTriplets(entries.begin(), entries.end());
  return sums;
}

Report merge_reports(const std::vector<fs::path>& files) {
  Report all;
  std::map<std::string, Origin> photos;
  for (const fs::path& file : files) {
    Report report = read_report(file);
    if (&file == &files.front()) {
      all.classes = std::move(report.classes);
    } else {
      add_classes(all, report, file);
    }
    for (PhotoScore& photo : report.photos) add_photo(photos, std::move(photo), file);
  }
  for (auto& [id, origin] : photos) all.photos.push_back(std::move(origin.photo));
  return all;
}

}  // namespace cli
