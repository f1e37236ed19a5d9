// SPDX-License-Identifier: MIT
// Every stage against plain loops in double (plain/*.hpp, written from the docstrings), on random
// shapes: differential [--cases N] [--seed S] [--stage NAME]. Case k of a stage has the seed S + k,
// so `--stage NAME --seed S+k --cases 1` is that case alone. 10,000 cases of every stage take some
// minutes. The exit status is 1 when a stage differs: its seed and shape are printed.
#include "differential.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

namespace {

struct Options {
  trust::Index cases = 10000;
  std::uint64_t seed = 1;
  std::string stage;
};

int usage() {
  std::puts("differential [--cases N] [--seed S] [--stage NAME]");
  return 2;
}

bool read(int count, char** words, Options& options) {
  for (int i = 1; i < count; i += 2) {
    const std::string name = words[i];
    if (i + 1 == count) return false;
    if (name == "--cases") {
      options.cases = std::strtoll(words[i + 1], nullptr, 10);
    } else if (name == "--seed") {
      options.seed = std::strtoull(words[i + 1], nullptr, 10);
    } else if (name == "--stage") {
      options.stage = words[i + 1];
    } else {
      return false;
    }
  }
  return options.cases >= 1;
}

/// Whether all cases of a stage agree.
bool run(const trust::Stage& stage, const Options& options) {
  trust::Tally tally;
  for (trust::Index i = 0; i < options.cases; ++i) {
    const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(i);
    trust::Case test(seed, tally);
    try {
      stage.run(test);
    } catch (const std::exception& error) {
      std::printf("%s DIFFERS: seed %llu: %s\n  %s\n", stage.name,
                  static_cast<unsigned long long>(seed), test.shape().c_str(), error.what());
      return false;
    }
  }
  std::printf("%-16s %6td cases %11td numbers %9td decisions %7td undecided", stage.name,
              options.cases, tally.numbers, tally.decisions, tally.undecided);
  if (tally.numbers > 0) {
    std::printf("  worst %.1e of %.1e (%.2f)", tally.error, tally.bound, tally.share);
  }
  std::printf("\n%16s %s\n", "", stage.bound);
  std::fflush(stdout);
  return true;
}

}  // namespace

int main(int count, char** words) {
  Options options;
  if (!read(count, words, options)) return usage();
  std::vector<trust::Stage> stages;
  for (const auto& room : {trust::attention_stages(), trust::merge_stages(), trust::label_stages(),
                           trust::whole_stages()}) {
    stages.insert(stages.end(), room.begin(), room.end());
  }
  std::printf("seeds %llu .. %llu\n", static_cast<unsigned long long>(options.seed),
              static_cast<unsigned long long>(options.seed) +
                  static_cast<unsigned long long>(options.cases) - 1);
  bool found = false;
  bool alike = true;
  for (const trust::Stage& stage : stages) {
    if (!options.stage.empty() && options.stage != stage.name) continue;
    found = true;
    alike = run(stage, options) && alike;
  }
  if (!found) return usage();
  return alike ? 0 : 1;
}
