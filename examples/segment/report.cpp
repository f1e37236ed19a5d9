// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <iomanip>
#include <ostream>
#include <utility>

#include "bandwidth.hpp"
#include "text.hpp"

namespace cli {

namespace {

void print_names(std::ostream& out, const PhotoReport& report) {
  for (const auto& [word, labels] : report.names) {
    out << "  " << word << ':';
    for (const std::int32_t label : labels) out << ' ' << label;
    out << '\n';
  }
}

void print_sweep(std::ostream& out, const PhotoReport& report) {
  if (report.sweep.empty()) return;
  out << "  threshold  segments  information  entropy   score\n"
      << std::fixed << std::setprecision(3);
  for (const diffseg::SweepPoint& point : report.sweep) {
    out << std::setw(11) << point.threshold << std::setw(10) << point.segments << std::setw(13)
        << point.information << std::setw(9) << point.entropy << std::setw(8) << point.score
        << '\n';
  }
}

}  // namespace

std::vector<double> pixel_shares(const diffseg::Labels& labels) {
  std::vector<double> shares(static_cast<std::size_t>(labels.count()));
  for (const std::int32_t label : labels.values) shares[static_cast<std::size_t>(label)] += 1.0;
  for (double& share : shares) share /= static_cast<double>(labels.values.size());
  return shares;
}

void print_text(std::ostream& out, const PhotoReport& report) {
  const auto& size = report.photo.empty() ? report.label_size : report.size;
  out << plain(report.name) << ": " << size.height << "x" << size.width << ", "
      << report.shares.size() << " segments ";
  if (report.skipped) {
    out << "(done before)";
  } else {
    out << "in " << std::fixed << std::setprecision(0) << report.segment_milliseconds << " ms";
  }
  const char* separator = " -> ";
  for (const auto& [kind, file] : report.files)
    out << std::exchange(separator, ", ") << plain(file.string());
  out << '\n';
  print_names(out, report);
  print_sweep(out, report);
}

void print_profile(std::ostream& out, const diffseg::Profile& profile) {
  out << std::left << std::setw(28) << "stage" << std::right << std::setw(6) << "calls"
      << std::setw(11) << "ms" << std::setw(11) << "MB" << std::setw(9) << "share" << '\n'
      << std::fixed;
  for (const diffseg::Profile::Row& row : profile.rows()) {
    const std::string name = std::string(2 * static_cast<std::size_t>(row.depth), ' ') + row.stage;
    out << std::left << std::setw(28) << name << std::right << std::setw(6) << row.calls
        << std::setprecision(2) << std::setw(11) << row.milliseconds << std::setprecision(1)
        << std::setw(11) << static_cast<double>(row.bytes) / 1e6 << std::setw(8)
        << 100.0 * row.share << "%\n";
  }
}

void print_bottleneck(std::ostream& out, const diffseg::Profile& profile) {
  double total = 0;
  diffseg::Profile::Row slowest;
  for (const diffseg::Profile::Row& row : profile.rows()) {
    if (row.depth > 0) continue;
    total += row.milliseconds;
    if (row.milliseconds > slowest.milliseconds) slowest = row;
  }
  if (total == 0) return;
  out << std::fixed << std::setprecision(0) << "Bottleneck: " << slowest.stage << ", "
      << 100 * slowest.share << " % of " << std::setprecision(1) << total << " ms";
  const auto bytes = static_cast<double>(slowest.bytes);
  const double bandwidth = slowest.bytes > 0 ? read_bandwidth() : 0;
  if (bandwidth > 0) {
    out << "; it goes through " << bytes / 1e6 << " MB, which take " << 1e3 * bytes / bandwidth
        << " ms to read once at this machine's " << bandwidth / 1e9 << " GB/s";
  }
  out << ".\n";
}

}  // namespace cli
