// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "label_places.hpp"
#include "log_scale.hpp"
#include "plots.hpp"
#include "svg.hpp"

namespace study {

namespace {

constexpr double width = 920, margin_left = 62, margin_right = 18, panel_height = 400;
constexpr double highest = 1.12;  // agreement at the top of a panel, with room for labels
constexpr double panel_step = panel_height + 92, top = 46, label_size = 11.5;

// Dark enough for white paper, and told apart with any eyes together with the shapes.
constexpr const char* colours[marker_count] = {"#000000", "#0072b2", "#d55e00", "#008060",
                                               "#a0408f", "#8a6d00", "#3b6fd4", "#c0392b",
                                               "#5d6d7e", "#1f7a8c", "#b03060"};

int group_number(const std::string& name) {
  const auto& all = groups();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Group& group) { return group.name == name; });
  return static_cast<int>(found - all.begin()) % marker_count;
}

std::string panel_title(const Row& row) {
  const std::string count = std::to_string(row.cases);
  return row.source == "photos"
             ? count + " photos through the model-free front end"
             : count + " attention stacks with the shapes of Stable Diffusion 1.5";
}

/// Presets by their own names; the others say what they change.
std::string label_of(const Row& row) {
  if (row.group == "preset") return row.way;
  if (row.group == "refine" || row.group == "numbers" || row.group == "photo") return row.way;
  return row.group + " " + row.way;
}

struct Frame {
  Box box;
  LogScale time;
  double lowest = 0;  // agreement at the bottom

  [[nodiscard]] double agreement(double value) const {
    return box.bottom - (box.bottom - box.top) * (value - lowest) / (highest - lowest);
  }
  [[nodiscard]] Point at(const Row& row) const {
    return {time(row.ratio), agreement(row.adjusted_rand)};
  }
};

Frame frame_of(const std::vector<const Row*>& rows, double y) {
  Frame frame{{margin_left, y, width - margin_right, y + panel_height}, {}, 1};
  double low = 0.5;
  double high = 2;
  for (const Row* row : rows) {
    low = std::min(low, row->ratio);
    high = std::max(high, row->ratio);
    frame.lowest = std::min(frame.lowest, std::floor(row->adjusted_rand * 10 - 0.2) / 10);
  }
  frame.lowest = std::max(-0.1, frame.lowest);
  frame.time = {low / 1.3, high * 1.3, frame.box.left, frame.box.right};
  return frame;
}

void draw_axes(Svg& svg, const Frame& frame, const std::string& title) {
  const Box& box = frame.box;
  svg.text({box.left, box.top - 10}, title, {.size = 14, .bold = true});
  for (const double tick : frame.time.ticks()) {
    const double x = frame.time(tick);
    svg.line({x, box.top}, {x, box.bottom}, tick == 1 ? "#777777" : "#e4e4e4", 1,
             tick == 1 ? "4 3" : "");
    svg.text({x, box.bottom + 16}, tick_text(tick), {.anchor = Anchor::middle});
  }
  for (int tenth = static_cast<int>(std::round(frame.lowest * 10)); tenth <= 10; ++tenth) {
    const double y = frame.agreement(tenth / 10.0);
    svg.line({box.left, y}, {box.right, y}, "#e4e4e4");
    svg.text({box.left - 7, y + 4}, tick_text(tenth / 10.0), {.anchor = Anchor::end});
  }
  svg.line({box.left, box.bottom}, {box.right, box.bottom}, "#222222");
  svg.line({box.left, box.top}, {box.left, box.bottom}, "#222222");
  svg.text({(box.left + box.right) / 2, box.bottom + 35},
           "time / time of the group's exact way (logarithmic; left is faster)",
           {.anchor = Anchor::middle});
  svg.text({18, (box.top + box.bottom) / 2}, "agreement with the exact labels (ARI)",
           {.anchor = Anchor::middle, .turn = -90});
}

void draw_labels(Svg& svg, const Frame& frame, const std::vector<const Row*>& rows) {
  std::vector<Labelled> points;
  for (const Row* row : rows) {
    points.push_back({frame.at(*row), text_width(label_of(*row), label_size) + 2, label_size + 1,
                      row->group == "preset" ? 12.0 : 7.0});
  }
  const auto boxes = place_labels(points, frame.box);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Box& box = boxes[i];
    const Point at = points[i].at;
    const Point near{std::clamp(at.x, box.left, box.right), std::clamp(at.y, box.top, box.bottom)};
    if (std::hypot(near.x - at.x, near.y - at.y) > 11) svg.line(at, near, "#999999", 0.8);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const int group = group_number(rows[i]->group);
    svg.marker(points[i].at, group, colours[group], group == 0 ? 7 : 5);
    svg.text({(boxes[i].left + boxes[i].right) / 2, boxes[i].bottom - 3}, label_of(*rows[i]),
             {.size = label_size,
              .anchor = Anchor::middle,
              .colour = colours[group],
              .bold = group == 0,
              .halo = true});
  }
}

void draw_legend(Svg& svg, const std::vector<std::string>& names, double y) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const int group = group_number(names[i]);
    const double x = margin_left - 40 + (i % 2 == 0 ? 0 : 450);
    const double line = y + 20 * static_cast<double>(i / 2);
    svg.marker({x, line - 4}, group, colours[group]);
    svg.text({x + 12, line}, names[i], {.size = 11.5, .colour = colours[group], .bold = true});
    svg.text({x + 112, line}, "1 = " + groups()[static_cast<std::size_t>(group)].exact,
             {.size = 11});
  }
}

}  // namespace

std::string draw_study(const Study& study) {
  std::vector<std::string> sources, names;
  const auto remember = [](std::vector<std::string>& list, const std::string& text) {
    if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
  };
  for (const Row& row : study.rows) {
    remember(sources, row.source);
    remember(names, row.group);
  }
  const double panels = panel_step * static_cast<double>(sources.size());
  const double height = top + panels + 20 * static_cast<double>((names.size() + 1) / 2) + 14;
  Svg svg(
      width, height, "Time and agreement of the approximations",
      "Scatter plot: the time of each approximation relative to exact DiffSeg, and the adjusted "
      "Rand index of its labels with the exact ones.");
  double y = top;
  for (const std::string& source : sources) {
    std::vector<const Row*> rows;
    for (const Row& row : study.rows) {
      if (row.source == source && !row.is_exact) rows.push_back(&row);
    }
    if (rows.empty()) continue;
    const Frame frame = frame_of(rows, y);
    draw_axes(svg, frame, panel_title(*rows.front()));
    draw_labels(svg, frame, rows);
    y += panel_step;
  }
  draw_legend(svg, names, top + panels - 20);
  svg.text(
      {margin_left - 46, height - 10},
      "Medians over cases. " + study.machine + ", " + std::to_string(study.threads) + " threads.",
      {.size = 11, .colour = "#666666"});
  return svg.finish();
}

}  // namespace study
