// SPDX-License-Identifier: MIT
// Label PNGs of photos and of their annotators in, scores out.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <diffseg/core/parallel.hpp>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "ending.hpp"
#include "label_files.hpp"
#include "report.hpp"
#include "report_json.hpp"
#include "score.hpp"

#ifndef DIFFSEG_VERSION
#define DIFFSEG_VERSION "unknown version"
#endif

namespace {

using namespace cli;
using diffseg::Index;

constexpr const char* description =
    R"(Examples:
  segment -o out photos/*.jpg && evaluate out truths   score what segment wrote
  evaluate --json out truths | jq .all                 numbers for another program
  evaluate --classes 27 --ignore 255 out truths        accuracy and mIoU of classes as well
  evaluate --merge part1.json part2.json               what several machines scored, as one

Compares label maps with those of annotators. Labels are palette indices or grey values of PNGs:
PREDICTIONS/ID.labels.png (or ID.png) against TRUTHS/ID.truthK.png, K = 0, 1, ... (or ID.png), or
Cityscapes' ID_gtFine_labelIds.png against ID_leftImg8bit.labels.png (or .png). Sub-folders are
read too: a prediction lies in that of the same name, or its name occurs once. Hidden files, as
._ID.png, are passed over. A truth whose pixels are all ignored counts for nothing.

covering  of the annotators' regions by predicted ones (Arbelaez et al. 2011), 0..1; in the last
          row every annotator of every photo counts alike, the other columns are means over photos
PRI       probabilistic Rand index, 0..1        VoI  variation of information in bits, 0 is best
ARI       adjusted Rand index, 0 for chance, 1 is best
borders   F-measure of the borders within 2 pixels of each other (Csurka et al. 2013), 0..1

Exit status: 0 done, 1 a photo could not be scored (the others were), 2 usage.)";

struct Options : ScoreOptions {
  std::filesystem::path predictions;
  std::filesystem::path truths;
  std::vector<std::filesystem::path> reports;  // to be merged
  bool json = false;
  std::vector<std::int32_t> ignore;
};

/// Scores each photo; those that cannot be scored have an error.
std::vector<PhotoResult> score_all(const std::vector<LabelFiles>& files, const Options& options) {
  std::vector<PhotoResult> results(files.size());
  diffseg::detail::parallel_for(static_cast<Index>(files.size()), [&](Index i) {
    const LabelFiles& photo = files[static_cast<std::size_t>(i)];
    PhotoResult& result = results[static_cast<std::size_t>(i)];
    try {
      result = score_photo(photo, options);
    } catch (const std::bad_alloc&) {
      result = {{.id = photo.id, .error = "not enough memory; scale it down first"}};
    } catch (const std::exception& error) {
      result = {{.id = photo.id, .error = error.what()}};
    }
  });
  return results;
}

/// Words about all photos together.
void tell(const Report& report, Index holding, const Options& options) {
  const auto is_scored = [](const PhotoScore& photo) { return photo.scored(); };
  const bool failed = std::any_of(report.photos.begin(), report.photos.end(),
                                  [](const auto& photo) { return !photo.error.empty(); });
  if (holding > 0) {
    std::cerr << "evaluate: " << holding << (holding == 1 ? " truth holds" : " truths hold")
              << " 255, which often means: not annotated; it counts as a "
              << (options.classes > 0 ? "class" : "region") << ", unless --ignore 255 is given\n";
  }
  if (report.photos.empty() && options.reports.empty()) {
    std::cerr << "evaluate: " << options.truths.string()
              << ": holds no ID.truthK.png and no ID.png; give the folder of the truths\n";
  } else if (!failed && std::none_of(report.photos.begin(), report.photos.end(), is_scored)) {
    std::cerr << "evaluate: nothing is scored, for no truth has an annotated pixel; see --ignore\n";
  }
}

Report evaluate(const Options& options) {
  if (!options.reports.empty()) {
    Report report = merge_reports(options.reports);
    tell(report, 0, options);
    return report;
  }
  const auto results = score_all(find_labels(options.predictions, options.truths), options);
  Report report;
  if (options.classes > 0) report.classes = ClassSums::none(options.classes);
  Index holding = 0;
  for (const PhotoResult& result : results) {
    report.photos.push_back(result.score);
    holding += result.holding;
    if (result.score.scored() && report.classes) *report.classes += result.classes;
  }
  tell(report, holding, options);
  return report;
}

int run(const Options& options) {
  const Report report = evaluate(options);
  Summary summary = summarise(report.photos);
  summary.classes = report.classes;
  options.json ? print_json(std::cout, report.photos, summary)
               : print_table(std::cout, report.photos, summary);
  int status = report.photos.empty() ? 1 : 0;
  for (const PhotoScore& photo : report.photos) {
    if (photo.error.empty()) continue;
    std::cerr << "evaluate: " << photo.id << ": " << photo.error << '\n';
    status = 1;
  }
  if (std::cout.flush()) return status;
  std::cerr << "evaluate: the scores cannot be written to stdout\n";
  return 1;
}

void add_options(CLI::App& app, Options& options) {
  auto* predictions =
      app.add_option("predictions", options.predictions, "Folder of ID.labels.png or ID.png")
          ->option_text("PREDICTIONS");
  auto* truths = app.add_option("truths", options.truths, "Folder of ID.truthK.png or ID.png")
                     ->option_text("TRUTHS");
  app.add_flag("-j,--json", options.json, "Print JSON on stdout");
  app.add_option("-c,--classes", options.classes,
                 "True labels 0 .. N-1 are classes: also match predictions with them")
      ->check(CLI::Range(1, 65536))
      ->option_text("N");
  app.add_option("-i,--ignore", options.ignore, "True labels that mean: not annotated")
      ->delimiter(',')
      ->check(CLI::Range(0, 65535))
      ->allow_extra_args(false)
      ->option_text("N[,N...]");
  app.add_flag("--resize-truth", options.resize_truth,
               "Scale truths of another size to their prediction, nearest pixel");
  app.add_option("--merge", options.reports,
                 "Put together what evaluate --json wrote about parts of the photos")
      ->excludes(predictions)
      ->excludes(truths)
      ->excludes("--classes")
      ->excludes("--ignore")
      ->excludes("--resize-truth")
      ->option_text("REPORT...");
  app.set_version_flag("--version", "evaluate (diffseg) " DIFFSEG_VERSION);
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app(description, "evaluate");
  Options options;
  add_options(app, options);
  try {
    app.parse(argc, argv);
    if (options.reports.empty() && options.truths.empty())
      throw CLI::RequiredError("PREDICTIONS and TRUTHS, or --merge");
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.ignored = {options.ignore.begin(), options.ignore.end()};
  return run(options);
} catch (...) {
  return end_with_exception("evaluate");
}
