// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

namespace cli {

namespace {

using diffseg::ClassCounts;
using diffseg::PartitionScores;
using diffseg::Unmatched;
using Json = nlohmann::ordered_json;

struct Protocol {
  const char* name;
  ClassCounts counts;
};

std::vector<Protocol> protocols(const Summary& summary) {
  const auto& photos = summary.confusions;
  if (photos.empty()) return {};
  return {
      {"per image, unmatched ignored", per_image(photos, Unmatched::ignored)},
      {"per image, unmatched as false positives", per_image(photos, Unmatched::false_positives)},
      {"per dataset, unmatched ignored", per_dataset(photos, Unmatched::ignored)},
      {"per dataset, unmatched as false positives",
       per_dataset(photos, Unmatched::false_positives)}};
}

Json to_json(const PartitionScores& scores, double covering, double borders) {
  return {{"covering", covering},
          {"probabilistic_rand_index", scores.rand_index},
          {"variation_of_information", scores.variation_of_information},
          {"adjusted_rand_index", scores.adjusted_rand_index},
          {"border_f_measure", borders}};
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
  json.update(to_json(photo.scores, photo.scores.covering, photo.borders));
  return json;
}

void print_row(std::ostream& out, const std::string& name, diffseg::Index truths, double segments,
               const PartitionScores& scores, double covering, double borders) {
  out << std::left << std::setw(24) << name << std::right << std::setw(8) << truths << std::fixed
      << std::setprecision(1) << std::setw(10) << segments << std::setprecision(4) << std::setw(10)
      << covering << std::setw(10) << scores.rand_index << std::setw(10)
      << scores.variation_of_information << std::setw(10) << scores.adjusted_rand_index
      << std::setw(10) << borders << '\n';
}

}  // namespace

Summary summarise(const std::vector<PhotoScore>& photos) {
  Summary summary;
  for (const PhotoScore& photo : photos) {
    if (!photo.error.empty()) continue;
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
    print_row(out, photo.id, photo.truths, static_cast<double>(photo.segments), photo.scores,
              photo.scores.covering, photo.borders);
  }
  print_row(out, "all " + std::to_string(summary.photos), summary.truths, summary.segments,
            summary.mean, summary.covering, summary.borders);
  for (const auto& [name, counts] : protocols(summary)) {
    out << std::left << std::setw(44) << name << std::right << "accuracy " << std::setw(7)
        << counts.pixel_accuracy() << "  mIoU " << std::setw(7) << counts.mean_iou() << '\n';
  }
}

void print_json(std::ostream& out, const std::vector<PhotoScore>& photos, const Summary& summary) {
  Json all{{"photos", summary.photos}, {"truths", summary.truths}, {"segments", summary.segments}};
  all.update(to_json(summary.mean, summary.covering, summary.borders));
  all["covering_mean_over_photos"] = summary.mean.covering;
  Json classes = Json::array();
  for (const auto& [name, counts] : protocols(summary)) {
    Json ious = Json::array();
    for (const auto& iou : counts.ious()) ious.push_back(iou ? Json(*iou) : Json(nullptr));
    classes.push_back({{"protocol", name},
                       {"pixel_accuracy", counts.pixel_accuracy()},
                       {"mean_iou", counts.mean_iou()},
                       {"ious", std::move(ious)}});
  }
  Json each = Json::array();
  for (const PhotoScore& photo : photos) each.push_back(to_json(photo));
  const Json json{
      {"all", std::move(all)}, {"classes", std::move(classes)}, {"photos", std::move(each)}};
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace cli
