// SPDX-License-Identifier: MIT
// What each approximation of DiffSeg costs and saves: tables on stdout, rows as JSON.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <diffseg/core/parallel.hpp>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "measure.hpp"
#include "table.hpp"

namespace {

namespace fs = std::filesystem;

struct Options {
  study::Folders folders = {.golden = DIFFSEG_GOLDEN_DIR, .photos = {}, .trained = {}};
  fs::path json;
  std::vector<std::string> only;
  int rounds = 5;
  diffseg::Index heads = 8;
  bool one_case = false;
};

std::string machine() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown machine";
}

/// One case at a time is in memory.
study::Samples run(const Options& options) {
  auto files = study::find_cases(options.folders);
  if (options.one_case) files.resize(1);
  study::Samples samples;
  for (const auto& file : files) {
    std::cerr << "study: " << file.path.filename().string() << '\n';
    const study::Case test = study::load_case(file, options.heads);
    samples.pairs.push_back(study::count_pairs(test));
    for (const study::Group& group : study::groups()) {
      const auto& only = options.only;
      const bool wanted =
          only.empty() || std::find(only.begin(), only.end(), group.name) != only.end();
      if (!wanted) continue;
      for (auto& sample : study::measure(group, test, options.rounds))
        samples.ways.push_back(sample);
    }
  }
  return samples;
}

void report(const Options& options) {
  const auto samples = run(options);
  const study::Study result{machine(), diffseg::detail::thread_count(), options.rounds,
                            study::summarise(samples.ways)};
  study::print_tables(std::cout, result);
  study::print_pairs(std::cout, samples.pairs);
  if (options.json.empty()) return;
  std::ofstream file(options.json);
  file << study::write_json(result, samples) << std::flush;
  if (!file) throw std::runtime_error(options.json.string() + ": cannot be written");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Times every approximation against exact DiffSeg and compares the labels.",
               "diffseg_study");
  study::Folders& folders = options.folders;
  app.add_option("--golden", folders.golden, "Folder of golden cases");
  app.add_option("--photos", folders.photos, "Folder of photos; truths ID.truthK.png beside them");
  app.add_option("--trained", folders.trained,
                 "Folder of folders ID: a model's attention of photos");
  app.add_option("--photos-at-most", folders.photos_at_most, "Photos taken, in order (default 10)");
  app.add_option("--rounds", options.rounds, "Timed rounds a group (default 5)")
      ->check(CLI::PositiveNumber);
  app.add_option("--heads", options.heads, "Heads of golden attention (default 8)")
      ->check(CLI::PositiveNumber);
  app.add_option("--only", options.only, "These groups alone")->delimiter(',');
  app.add_flag("--one-case", options.one_case, "The first case alone");
  app.add_option("--json", options.json, "Where the rows go");
  CLI11_PARSE(app, argc, argv);
  try {
    report(options);
  } catch (const std::exception& error) {
    std::cerr << "study: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
