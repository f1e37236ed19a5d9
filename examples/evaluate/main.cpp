// SPDX-License-Identifier: MIT
// Label PNGs of photos and of their annotators in, scores out.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <diffseg/core/parallel.hpp>
#include <diffseg/io/error.hpp>
#include <diffseg/labels/evaluate.hpp>
#include <filesystem>
#include <iostream>
#include <set>
#include <string>
#include <vector>

#include "label_io.hpp"
#include "report.hpp"
#include "text.hpp"

#ifndef DIFFSEG_VERSION
#define DIFFSEG_VERSION "unknown version"
#endif

namespace {

using namespace cli;
using diffseg::Index;
using diffseg::Labels;

constexpr const char* description =
    R"(Examples:
  segment -o out photos/*.jpg && evaluate out truths   score what segment wrote
  evaluate --json out truths | jq .all                 numbers for another program
  evaluate --classes 27 --ignore 255 out truths        accuracy and mIoU of classes as well

Compares label maps with those of annotators. Labels are palette indices or grey values of PNGs:
PREDICTIONS/ID.labels.png (or ID.png) against TRUTHS/ID.truthK.png, K = 0, 1, ... (or ID.png).

covering  of the annotators' regions by predicted ones (Arbelaez et al. 2011), 0..1; in the last
          row every annotator of every photo counts alike, the other columns are means over photos
PRI       probabilistic Rand index, 0..1        VoI  variation of information in bits, 0 is best
ARI       adjusted Rand index, 0 for chance, 1 is best
borders   F-measure of the borders within 2 pixels of each other (Csurka et al. 2013), 0..1

Exit status: 0 done, 1 a photo could not be scored (the others were), 2 usage.)";

struct Options {
  std::filesystem::path predictions;
  std::filesystem::path truths;
  bool json = false;
  Index classes = 0;  // 0: truths are regions without meaning
  std::vector<std::int32_t> ignored;
};

/// Labels in `ignored` become "not annotated".
Labels read_truth(const std::filesystem::path& path, const Options& options) {
  Labels truth = read_labels(path);
  const std::set<std::int32_t> ignored(options.ignored.begin(), options.ignored.end());
  if (ignored.empty()) return truth;
  for (std::int32_t& label : truth.values) {
    if (ignored.count(label) != 0) label = -1;
  }
  return truth;
}

struct Result {
  PhotoScore score;
  std::vector<diffseg::Counts> confusions;
};

Result score_photo(const LabelFiles& files, const Options& options) {
  Result result{{.id = files.id}, {}};
  if (files.prediction.empty()) {
    throw diffseg::io_error(message("has no prediction ", files.id, ".labels.png or ", files.id,
                                    ".png in ", options.predictions.string()));
  }
  const Labels predicted = read_labels(files.prediction);
  std::vector<Labels> truths;
  for (const auto& path : files.truths) {
    truths.push_back(read_truth(path, options));
    if (options.classes == 0) continue;
    result.confusions.push_back(
        diffseg::confusion(predicted, truths.back(), options.classes, predicted.count()));
  }
  const std::set<std::int32_t> used(predicted.values.begin(), predicted.values.end());
  result.score.size = predicted.size;
  result.score.truths = static_cast<Index>(truths.size());
  result.score.segments = static_cast<Index>(used.size());
  result.score.scores = diffseg::score(predicted, truths);
  for (const Labels& truth : truths) {
    result.score.borders +=
        diffseg::score_boundaries(predicted, truth).f_measure / static_cast<double>(truths.size());
  }
  return result;
}

/// All confusions as wide as the widest.
void even_out(std::vector<diffseg::Counts>& confusions) {
  Index widest = 0;
  for (const auto& counts : confusions) widest = std::max(widest, counts.cols());
  for (auto& counts : confusions) {
    const Index before = counts.cols();
    counts.conservativeResize(Eigen::NoChange, widest);
    counts.rightCols(widest - before).setZero();
  }
}

int run(const Options& options) {
  const auto files = find_labels(options.predictions, options.truths);
  std::vector<Result> results(files.size());
  diffseg::detail::parallel_for(static_cast<Index>(files.size()), [&](Index i) {
    const LabelFiles& photo = files[static_cast<std::size_t>(i)];
    Result& result = results[static_cast<std::size_t>(i)];
    try {
      result = score_photo(photo, options);
    } catch (const std::exception& error) {
      result = {{.id = photo.id, .error = error.what()}, {}};
    }
  });
  std::vector<PhotoScore> photos;
  photos.reserve(results.size());
  for (const Result& result : results) photos.push_back(result.score);
  Summary summary = summarise(photos);
  for (Result& result : results) {
    std::move(result.confusions.begin(), result.confusions.end(),
              std::back_inserter(summary.confusions));
  }
  even_out(summary.confusions);
  options.json ? print_json(std::cout, photos, summary) : print_table(std::cout, photos, summary);
  for (const PhotoScore& photo : photos) {
    if (!photo.error.empty()) std::cerr << "evaluate: " << photo.id << ": " << photo.error << '\n';
  }
  if (photos.empty()) {
    std::cerr << "evaluate: " << options.truths.string()
              << ": holds no ID.truthK.png and no ID.png; give the folder of the truths\n";
  }
  if (!std::cout.flush()) {
    std::cerr << "evaluate: the scores cannot be written to stdout\n";
    return 1;
  }
  return summary.photos == static_cast<Index>(photos.size()) && !photos.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(description, "evaluate");
  Options options;
  app.add_option("predictions", options.predictions, "Folder of ID.labels.png or ID.png")
      ->required()
      ->option_text("PREDICTIONS");
  app.add_option("truths", options.truths, "Folder of ID.truthK.png or ID.png")
      ->required()
      ->option_text("TRUTHS");
  app.add_flag("-j,--json", options.json, "Print JSON on stdout");
  app.add_option("-c,--classes", options.classes,
                 "True labels 0 .. N-1 are classes: also match predictions with them")
      ->check(CLI::Range(1, 65536))
      ->option_text("N");
  app.add_option("-i,--ignore", options.ignored, "True labels that mean: not annotated")
      ->delimiter(',')
      ->check(CLI::Range(0, 65535))
      ->allow_extra_args(false)
      ->option_text("N[,N...]");
  app.set_version_flag("--version", "evaluate (diffseg) " DIFFSEG_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(options);
  } catch (const std::exception& error) {
    std::cerr << "evaluate: " << error.what() << '\n';
    return 1;
  }
}
