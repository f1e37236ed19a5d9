// SPDX-License-Identifier: MIT
#include "measure.hpp"

#include <chrono>
#include <diffseg/diffseg.hpp>
#include <diffseg/labels/evaluate.hpp>

#include "../support/memory.hpp"
#include "statistics.hpp"

namespace study {

namespace {

double milliseconds(const Way& way, Labels& labels) {
  const auto begin = std::chrono::steady_clock::now();
  way.run(labels);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

/// The first call of each way: its memory, and its labels against those of the exact one.
void judge(const Case& test, const Way& way, const Labels& exact, Labels& labels, Sample& sample) {
  const double peak = bench::peak_bytes([&] { way.run(labels); });
  sample.megabytes = peak < 0 ? 0 : (peak + way.input_bytes) / 1e6;
  const Labels& truth = sample.exact ? labels : exact;
  const auto scores = diffseg::score(diffseg::contingency(labels, truth));
  sample.adjusted_rand = scores.adjusted_rand_index;
  sample.boundary = diffseg::score_boundaries(labels, truth, 2).f_measure;
  sample.segments = static_cast<double>(labels.count());
  if (!test.truths.empty()) sample.covering = diffseg::score(labels, test.truths).covering;
}

}  // namespace

Pairs count_pairs(const Case& test) {
  const auto& thresholds = test.exact.merge.thresholds;
  diffseg::Compare compare = test.exact.compare;
  compare.ceiling = thresholds.front();
  const auto similarities = compare(test.exact.aggregate(test.layers));
  const auto all = static_cast<double>(similarities.divergences.rows()) *
                   static_cast<double>(similarities.divergences.cols());
  return {.source = test.source,
          .name = test.name,
          .threshold = compare.ceiling,
          .matched = static_cast<double>(similarities.divergences.nonZeros()) / all,
          .evaluated = static_cast<double>(similarities.evaluated) / all};
}

std::vector<Sample> measure(const Group& group, const Case& test, int rounds) {
  const std::vector<Way> ways = group.ways(test);
  std::vector<Sample> samples;
  std::vector<Labels> labels(ways.size());
  for (std::size_t i = 0; i < ways.size(); ++i) {
    samples.push_back({test.source, group.name, ways[i].name, test.name, i == 0});
    judge(test, ways[i], labels.front(), labels[i], samples.back());
  }
  std::vector<std::vector<double>> times(ways.size()), ratios(ways.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < ways.size(); ++i) {
      times[i].push_back(milliseconds(ways[i], labels[i]));
      ratios[i].push_back(times[i].back() / times.front().back());
    }
  }
  for (std::size_t i = 0; i < ways.size(); ++i) {
    samples[i].milliseconds = quantile(times[i], 0.5);
    samples[i].ratio = quantile(ratios[i], 0.5);
  }
  return samples;
}

}  // namespace study
