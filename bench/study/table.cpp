// SPDX-License-Identifier: MIT
#include "table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <ostream>

#include "statistics.hpp"

namespace study {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Sample, source, group, way, name, exact, milliseconds, ratio,
                                   megabytes, adjusted_rand, boundary, segments, covering)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Pairs, source, name, threshold, matched, evaluated)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Row, source, group, way, exact, is_exact, cases, milliseconds,
                                   ratio, ratio_low, ratio_high, megabytes, adjusted_rand,
                                   adjusted_rand_worst, boundary, boundary_worst, segments,
                                   covering)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Study, machine, threads, rounds, rows)

namespace {

std::string exact_of(const std::string& name) {
  for (const Group& group : groups()) {
    if (group.name == name) return group.exact;
  }
  return {};
}

Row summarise_way(const std::vector<const Sample*>& samples) {
  const auto collect = [&](double Sample::*field) {
    std::vector<double> values;
    for (const Sample* sample : samples) values.push_back(sample->*field);
    return values;
  };
  const Sample& first = *samples.front();
  Row row{.source = first.source,
          .group = first.group,
          .way = first.way,
          .exact = exact_of(first.group),
          .is_exact = first.exact,
          .cases = static_cast<int>(samples.size())};
  row.milliseconds = quantile(collect(&Sample::milliseconds), 0.5);
  const auto ratios = collect(&Sample::ratio);
  row.ratio = quantile(ratios, 0.5);
  row.ratio_low = quantile(ratios, 0.25);
  row.ratio_high = quantile(ratios, 0.75);
  row.megabytes = quantile(collect(&Sample::megabytes), 0.5);
  const auto rand = collect(&Sample::adjusted_rand);
  row.adjusted_rand = quantile(rand, 0.5);
  row.adjusted_rand_worst = quantile(rand, 0);
  const auto boundary = collect(&Sample::boundary);
  row.boundary = quantile(boundary, 0.5);
  row.boundary_worst = quantile(boundary, 0);
  row.segments = quantile(collect(&Sample::segments), 0.5);
  std::vector<double> covering = collect(&Sample::covering);
  covering.erase(std::remove(covering.begin(), covering.end(), -1.0), covering.end());
  if (!covering.empty()) row.covering = mean(covering);
  return row;
}

template <class... Values>
std::string text(const char* format, Values... values) {
  char buffer[256];
  const int length = std::snprintf(buffer, sizeof(buffer), format, values...);
  return {buffer, static_cast<std::size_t>(std::clamp(length, 0, 255))};
}

void print_row(std::ostream& out, const Row& row, bool covering) {
  if (row.is_exact) {
    out << "| **" << row.group << "**: " << row.exact
        << text(" | 1 (%.3g ms) | | %.0f | | | | | %.0f |", row.milliseconds, row.megabytes,
                row.segments);
  } else {
    out << "| " << row.way
        << text(" | %.3f | %.3f..%.3f | %.0f | %.3f | %.3f | %.3f | %.3f | %.0f |", row.ratio,
                row.ratio_low, row.ratio_high, row.megabytes, row.adjusted_rand,
                row.adjusted_rand_worst, row.boundary, row.boundary_worst, row.segments);
  }
  if (covering) out << (row.covering < 0 ? " |" : text(" %.3f |", row.covering));
  out << '\n';
}

}  // namespace

std::vector<Row> summarise(const std::vector<Sample>& samples) {
  std::vector<std::vector<const Sample*>> ways;
  for (const Sample& sample : samples) {
    const auto same = [&](const std::vector<const Sample*>& way) {
      return way.front()->source == sample.source && way.front()->group == sample.group &&
             way.front()->way == sample.way;
    };
    auto found = std::find_if(ways.begin(), ways.end(), same);
    if (found == ways.end()) found = ways.insert(ways.end(), std::vector<const Sample*>());
    found->push_back(&sample);
  }
  std::vector<Row> rows;
  for (const auto& way : ways) rows.push_back(summarise_way(way));
  return rows;
}

void print_tables(std::ostream& out, const Study& study) {
  out << study.machine << ", " << study.threads << " threads, " << study.rounds << " rounds\n";
  std::string source;
  bool covering = false;
  for (const Row& row : study.rows) {
    if (row.source != source) {
      source = row.source;
      covering = row.covering >= 0;
      out << '\n'
          << source << ", " << row.cases << " cases\n\n"
          << "| group: its exact way; setting | time / exact | quartiles | MB | ARI, median | "
             "worst | border F, median | worst | segments |"
          << (covering ? " covering |" : "") << "\n|---|---|---|---|---|---|---|---|---|"
          << (covering ? "---|" : "") << '\n';
    }
    print_row(out, row, covering);
  }
}

void print_pairs(std::ostream& out, const std::vector<Pairs>& pairs) {
  out << "\n| source, cases | pairs that match | pairs evaluated | evaluated / matched |\n"
         "|---|---|---|---|\n";
  for (std::size_t begin = 0, end = 0; begin < pairs.size(); begin = end) {
    std::vector<double> matched, evaluated, ratio;
    for (; end < pairs.size() && pairs[end].source == pairs[begin].source; ++end) {
      matched.push_back(100 * pairs[end].matched);
      evaluated.push_back(100 * pairs[end].evaluated);
      ratio.push_back(pairs[end].evaluated / pairs[end].matched);
    }
    out << "| " << pairs[begin].source << ", " << end - begin;
    for (const auto& [values, format] : {std::pair(matched, " | %.0f %% (%.0f..%.0f)"),
                                         std::pair(evaluated, " | %.0f %% (%.0f..%.0f)"),
                                         std::pair(ratio, " | %.2f (%.2f..%.2f)")})
      out << text(format, quantile(values, 0.5), quantile(values, 0), quantile(values, 1));
    out << " |\n";
  }
}

std::string write_json(const Study& study, const Samples& samples) {
  nlohmann::json json = study;
  json["samples"] = samples.ways;
  json["pairs"] = samples.pairs;
  return json.dump(1) + "\n";
}

}  // namespace study
