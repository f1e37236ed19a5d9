// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <algorithm>
#include <array>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "report_json.hpp"

namespace cli {

namespace {

using diffseg::ClassCounts;
using diffseg::Index;
using diffseg::PartitionScores;
using diffseg::Unmatched;

struct Protocol {
  const char* name;
  ClassCounts counts;

  [[nodiscard]] std::optional<double> accuracy() const {
    return counts.pixels > 0 ? std::optional(counts.pixel_accuracy()) : std::nullopt;
  }
  [[nodiscard]] std::optional<double> mean_iou() const {
    return counts.pixels > 0 ? std::optional(counts.mean_iou()) : std::nullopt;
  }
};

std::vector<Protocol> protocols(const Summary& summary) {
  if (!summary.classes) return {};
  const ClassSums& sums = *summary.classes;
  const auto columns = diffseg::class_matching(sums.table);
  return {{"per image, unmatched ignored", sums.ignored},
          {"per image, unmatched as false positives", sums.false_positives},
          {"per dataset, unmatched ignored",
           diffseg::count_matched(sums.table, columns, Unmatched::ignored)},
          {"per dataset, unmatched as false positives",
           diffseg::count_matched(sums.table, columns, Unmatched::false_positives)}};
}

Json or_null(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

/// The scores, or nothing, under their names.
Json to_json(const PartitionScores& scores, double covering, double borders, bool scored) {
  const auto value = [&](double number) { return scored ? Json(number) : Json(nullptr); };
  return {{"covering", value(covering)},
          {"probabilistic_rand_index", value(scores.rand_index)},
          {"variation_of_information", value(scores.variation_of_information)},
          {"adjusted_rand_index", value(scores.adjusted_rand_index)},
          {"border_f_measure", value(borders)}};
}

Json to_json(const PhotoScore& photo) {
  Json json{{"photo", photo.id}, {"ok", photo.error.empty()}};
  if (!photo.error.empty()) {
    json["error"] = photo.error;
    return json;
  }
  json["size"] = {{"height", photo.size.height}, {"width", photo.size.width}};
  json["truths"] = photo.truths;
  json["segments"] = photo.segments;
  json.update(to_json(photo.scores, photo.scores.covering, photo.borders, photo.scored()));
  return json;
}

Json to_json(const Protocol& protocol) {
  Json ious = Json::array();
  for (const auto& iou : protocol.counts.ious()) ious.push_back(or_null(iou));
  return {{"protocol", protocol.name},
          {"pixel_accuracy", or_null(protocol.accuracy())},
          {"mean_iou", or_null(protocol.mean_iou())},
          {"ious", std::move(ious)}};
}

void print_number(std::ostream& out, int width, int digits, const std::optional<double>& number) {
  out << std::setw(width) << std::fixed << std::setprecision(digits);
  number ? out << *number : out << "-";
}

void print_row(std::ostream& out, const std::string& name, Index truths,
               const std::optional<double>& segments,
               const std::optional<std::array<double, 5>>& scores) {
  out << std::left << std::setw(24) << name << std::right << std::setw(8) << truths;
  print_number(out, 10, 1, segments);
  for (std::size_t i = 0; i < 5; ++i) {
    print_number(out, 10, 4, scores ? std::optional((*scores)[i]) : std::nullopt);
  }
  out << '\n';
}

std::array<double, 5> in_row(const PartitionScores& scores, double covering, double borders) {
  return {covering, scores.rand_index, scores.variation_of_information, scores.adjusted_rand_index,
          borders};
}

}  // namespace

ClassSums ClassSums::none(Index classes) {
  const std::vector<std::int64_t> zeros(static_cast<std::size_t>(classes), 0);
  const ClassCounts counts{zeros, zeros, zeros, 0};
  return {counts, counts, diffseg::SparseCounts(classes, 0)};
}

ClassSums& ClassSums::operator+=(const ClassSums& other) {
  ignored += other.ignored;
  false_positives += other.false_positives;
  diffseg::SparseCounts more = other.table;
  const Index widest = std::max(table.cols(), more.cols());
  table.conservativeResize(more.rows(), widest);
  more.conservativeResize(more.rows(), widest);
  table += more;
  return *this;
}

Summary summarise(const std::vector<PhotoScore>& photos) {
  Summary summary;
  for (const PhotoScore& photo : photos) {
    if (!photo.scored()) continue;
    const auto truths = static_cast<double>(photo.truths);
    summary.photos += 1;
    summary.truths += photo.truths;
    summary.segments += static_cast<double>(photo.segments);
    summary.covering += truths * photo.scores.covering;
    summary.mean.covering += photo.scores.covering;
    summary.mean.rand_index += photo.scores.rand_index;
    summary.mean.variation_of_information += photo.scores.variation_of_information;
    summary.borders += photo.borders;
    summary.mean.adjusted_rand_index += photo.scores.adjusted_rand_index;
  }
  if (summary.photos == 0) return summary;
  const auto count = static_cast<double>(summary.photos);
  summary.segments /= count;
  summary.covering /= static_cast<double>(summary.truths);
  summary.mean.covering /= count;
  summary.mean.rand_index /= count;
  summary.mean.variation_of_information /= count;
  summary.mean.adjusted_rand_index /= count;
  summary.borders /= count;
  return summary;
}

void print_table(std::ostream& out, const std::vector<PhotoScore>& photos, const Summary& summary) {
  out << std::left << std::setw(24) << "photo" << std::right << std::setw(8) << "truths"
      << std::setw(10) << "segments" << std::setw(10) << "covering" << std::setw(10) << "PRI"
      << std::setw(10) << "VoI/bit" << std::setw(10) << "ARI" << std::setw(10) << "borders" << '\n';
  for (const PhotoScore& photo : photos) {
    if (!photo.error.empty()) continue;
    std::optional<std::array<double, 5>> scores;
    if (photo.scored()) scores = in_row(photo.scores, photo.scores.covering, photo.borders);
    print_row(out, photo.id, photo.truths, static_cast<double>(photo.segments), scores);
  }
  std::optional<double> segments;
  std::optional<std::array<double, 5>> scores;
  if (summary.photos > 0) {
    segments = summary.segments;
    scores = in_row(summary.mean, summary.covering, summary.borders);
  }
  print_row(out, "all " + std::to_string(summary.photos), summary.truths, segments, scores);
  for (const Protocol& protocol : protocols(summary)) {
    out << std::left << std::setw(44) << protocol.name << std::right << "accuracy ";
    print_number(out, 7, 4, protocol.accuracy());
    out << "  mIoU ";
    print_number(out, 7, 4, protocol.mean_iou());
    out << '\n';
  }
}

void print_json(std::ostream& out, const std::vector<PhotoScore>& photos, const Summary& summary) {
  const bool scored = summary.photos > 0;
  const auto value = [&](double number) { return scored ? Json(number) : Json(nullptr); };
  Json all{{"photos", summary.photos},
           {"truths", summary.truths},
           {"segments", value(summary.segments)}};
  all.update(to_json(summary.mean, summary.covering, summary.borders, scored));
  all["covering_mean_over_photos"] = value(summary.mean.covering);
  Json classes = Json::array();
  for (const Protocol& protocol : protocols(summary)) classes.push_back(to_json(protocol));
  Json each = Json::array();
  for (const PhotoScore& photo : photos) each.push_back(to_json(photo));
  Json json{{"all", std::move(all)}, {"classes", std::move(classes)}, {"photos", std::move(each)}};
  if (summary.classes) json["class_pixels"] = to_json(*summary.classes);
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace cli
