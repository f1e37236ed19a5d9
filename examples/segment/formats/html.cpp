// SPDX-License-Identifier: MIT
#include "html.hpp"

#include <algorithm>
#include <cmath>
#include <diffseg/photo/downsample.hpp>
#include <iomanip>

#include "../jpeg_io.hpp"
#include "html_page.hpp"
#include "html_text.hpp"
#include "regions.hpp"
#include "text.hpp"

namespace cli {

using diffseg::Index;

namespace {

constexpr std::string_view failed_part = "<section class=\"failed\">";
constexpr std::string_view done_part = "<section class=\"done\">";

/// A part without pictures; `begin` tells of which kind.
std::string words_part(std::string_view begin, const std::string& title, const std::string& words) {
  return message(begin, "\n<h2>", html_escaped(title), "</h2>\n<p>", html_escaped(words),
                 "</p>\n</section>\n");
}

std::string data_address(const char* type, const Bytes& bytes) {
  return std::string("data:image/") + type + ";base64," + base64(bytes);
}

void write_mask(std::ostream& out, const Bytes& png, const std::string& text, bool hidden) {
  out << "<img alt=\"" << text << "\" src=\"" << data_address("png", png) << '"'
      << (hidden ? " hidden" : "") << ">\n";
}

void begin_stage(std::ostream& out, diffseg::GridSize size) {
  out << "<div class=\"stage\" style=\"aspect-ratio:" << size.width << '/' << size.height << "\">";
}

/// The number of each label in the middle of its largest square.
void write_numbers(std::ostream& out, const diffseg::Labels& labels) {
  const auto squares = find_squares(labels);
  out << std::fixed << std::setprecision(2);
  for (std::size_t label = 0; label < squares.size(); ++label) {
    const Square& square = squares[label];
    if (square.side == 0) continue;
    const auto percent = [&](Index begin, Index side) {
      return 100 * (static_cast<double>(begin) + 0.5 * static_cast<double>(square.side)) /
             static_cast<double>(side);
    };
    out << "<b style=\"left:" << percent(square.x, labels.size.width)
        << "%;top:" << percent(square.y, labels.size.height) << "%\">" << label << "</b>";
  }
}

void write_segments(std::ostream& out, const Scene& scene, diffseg::GridSize size,
                    const std::vector<unsigned char>& colours) {
  const auto& labels = scene.labels;
  const diffseg::Labels small = resized(labels, size);
  out << "<figure>";
  begin_stage(out, size);
  write_mask(out, preview_png(small, colours), "segments", false);
  write_numbers(out, small);
  out << "</div><figcaption>" << labels.count() << " segments</figcaption></figure>\n";
}

void write_slider(std::ostream& out, const std::vector<SliderStep>& steps, double threshold,
                  diffseg::GridSize size) {
  if (steps.empty()) return;
  const auto nearest =
      std::min_element(steps.begin(), steps.end(), [&](const auto& a, const auto& b) {
        return std::abs(a.threshold - threshold) < std::abs(b.threshold - threshold);
      });
  out << "<figure class=\"sweep\">";
  begin_stage(out, size);
  for (const SliderStep& step : steps) {
    TextStream text;
    text << "threshold " << step.threshold << ": " << step.segments
         << (step.segments == 1 ? " segment" : " segments");
    write_mask(out, step.png, text.str(), &step != &*nearest);
  }
  out << "</div><figcaption><input type=\"range\" aria-label=\"threshold\" min=\"0\" max=\""
      << steps.size() - 1 << "\" value=\"" << nearest - steps.begin()
      << "\"> <output></output></figcaption></figure>\n";
}

std::string swatch(const std::string& red, const std::string& green, const std::string& blue) {
  return "<i style=\"background:rgb(" + red + "," + green + "," + blue + ")\"></i>";
}

std::string swatch(const Colour& colour) {
  return swatch(std::to_string(colour[0]), std::to_string(colour[1]), std::to_string(colour[2]));
}

std::string swatch(const std::array<double, 3>& colour) {
  Colour bytes{};
  for (std::size_t c = 0; c < 3; ++c)
    bytes[c] = static_cast<unsigned char>(std::lround(255 * std::clamp(colour[c], 0.0, 1.0)));
  return swatch(bytes);
}

void write_table(std::ostream& out, const Scene& scene, const std::vector<unsigned char>& colours) {
  const auto extents = find_extents(scene.labels);
  const auto neighbours = find_neighbours(scene.labels);
  const auto names = label_names(scene);
  const bool seen = !scene.photo.values.empty();
  const auto means = seen ? mean_colours(scene.labels, scene.photo)
                          : std::vector<std::array<double, 3>>(extents.size());
  out << "<table><thead><tr><th>segment" << (scene.names.empty() ? "" : "<th>name")
      << "<th>share<th>pixels<th>box<th>colour<th>neighbours"
         "</thead>\n<tbody>\n"
      << std::fixed << std::setprecision(1);
  for (std::size_t label = 0; label < extents.size(); ++label) {
    const Extent& extent = extents[label];
    if (extent.area == 0) continue;
    const double share =
        100 * static_cast<double>(extent.area) / static_cast<double>(scene.labels.size.cells());
    out << "<tr><td>" << swatch(preview_palette()[colours[label]]) << label << "<td>"
        << (scene.names.empty() ? "" : html_escaped(names[label]) + "<td>") << share << " %<td>"
        << extent.area << "<td>" << extent.width() << " x " << extent.height() << " at "
        << extent.left << ", " << extent.top << "<td>" << (seen ? swatch(means[label]) : "")
        << "<td>";
    for (const std::int32_t other : neighbours[label]) out << other << ' ';
    out << '\n';
  }
  out << "</tbody></table>\n";
}

}  // namespace

std::string html_photo(const Scene& scene, const std::string& title, const std::string& note,
                       const std::vector<SliderStep>& steps, double threshold) {
  const bool seen = !scene.photo.values.empty();
  const diffseg::GridSize size = preview_size(seen ? scene.photo.size : scene.labels.size);
  std::vector<unsigned char> colours;
  for (Index label = 0; label < scene.labels.count(); ++label)
    colours.push_back(static_cast<unsigned char>(label % 255));
  TextStream out;
  out << "<section";
  if (seen) {
    const auto small = diffseg::DownsamplePhoto{.size = size}(scene.photo);
    out << " class=\"seen\" style=\"--photo:url("
        << data_address("jpeg", encode_colour_jpeg(size, photo_bytes(small))) << ")\"";
  }
  out << ">\n<h2>" << html_escaped(title) << "</h2>\n";
  if (!note.empty()) out << "<p>" << html_escaped(note) << "</p>\n";
  out << "<div class=\"row\">\n";
  if (seen) {
    out << "<figure>";
    begin_stage(out, size);
    out << "</div><figcaption>" << scene.photo.size.width << " x " << scene.photo.size.height
        << "</figcaption></figure>\n";
  }
  write_segments(out, scene, size, colours);
  write_slider(out, steps, threshold, size);
  out << "</div>\n";
  write_table(out, scene, colours);
  out << "</section>\n";
  return out.str();
}

std::string html_failure(const std::string& title, const std::string& error) {
  return words_part(failed_part, title, error);
}

std::string html_done_before(const std::string& title) {
  return words_part(done_part, title, "done by an earlier run; --force shows it here");
}

Bytes html_page(const std::vector<std::string>& parts) {
  TextStream body;
  TextStream failed;
  Index photos = 0;
  Index failures = 0;
  Index done = 0;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    body << "<a id=\"p" << ++photos << "\"></a>" << part;
    if (part.starts_with(done_part)) ++done;
    if (!part.starts_with(failed_part)) continue;
    failed << (failures++ == 0 ? ": " : ", ") << "<a href=\"#p" << photos << "\">" << photos
           << "</a>";
  }
  TextStream page;
  page << html_head << "<h1>segment</h1>\n<p>" << photos << (photos == 1 ? " photo" : " photos");
  if (done > 0) page << ", " << done << " done before";
  page << ", " << failures << " failed" << failed.str() << "</p>\n" << body.str() << html_tail;
  const std::string text = page.str();
  return {text.begin(), text.end()};
}

}  // namespace cli
