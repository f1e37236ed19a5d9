// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>

#include "log_scale.hpp"
#include "plots.hpp"
#include "svg.hpp"

namespace study {

namespace {

constexpr double width = 760, bar = 24, step = 38, top = 52, right = 74;

std::string milliseconds_text(double value) {
  char buffer[32];
  if (value >= 1000) {
    std::snprintf(buffer, sizeof(buffer), "%.3g s", value / 1000);
  } else {
    std::snprintf(buffer, sizeof(buffer), "%.3g ms", value);
  }
  return buffer;
}

LogScale scale_of(const Bars& bars, double left) {
  double least = bars.rows.front().milliseconds;
  double most = least;
  for (const auto& row : bars.rows) {
    least = std::min(least, row.milliseconds);
    most = std::max(most, row.milliseconds);
  }
  // From a power of ten, so that all bars have a length.
  double low = 1e-3;
  while (low * 10 < least) low *= 10;
  return {low, most * 1.1, left, width - right};
}

}  // namespace

std::string draw_bars(const Bars& bars) {
  double left = 0;
  for (const auto& row : bars.rows) left = std::max(left, text_width(row.name, 13));
  left += 24;
  const double bottom = top + step * static_cast<double>(bars.rows.size());
  Svg svg(width, bottom + 62, bars.title, "Bar chart of milliseconds on a logarithmic scale.");
  svg.text({16, 26}, bars.title, {.size = 15, .bold = true});
  const LogScale scale = scale_of(bars, left);
  for (const double tick : scale.ticks(true)) {
    svg.line({scale(tick), top - 8}, {scale(tick), bottom - 4}, "#dddddd");
    svg.text({scale(tick), bottom + 10}, milliseconds_text(tick),
             {.size = 11, .anchor = Anchor::middle, .colour = "#555555"});
  }
  double y = top;
  for (const auto& row : bars.rows) {
    const bool ours = row.name.rfind("diffseg", 0) == 0;
    const double end = scale(row.milliseconds);
    svg.text({left - 10, y + bar / 2 + 4.5}, row.name,
             {.size = 13, .anchor = Anchor::end, .bold = ours});
    svg.rectangle({left, y}, std::max(1.0, end - left), bar, ours ? "#0072b2" : "#9aa5b1");
    svg.text({end + 7, y + bar / 2 + 4.5}, milliseconds_text(row.milliseconds),
             {.size = 12.5, .bold = ours});
    y += step;
  }
  svg.text({16, bottom + 32}, "Logarithmic scale. " + bars.machine,
           {.size = 11, .colour = "#666666"});
  svg.text({16, bottom + 48}, bars.command, {.size = 11, .colour = "#666666"});
  return svg.finish();
}

}  // namespace study
