// SPDX-License-Identifier: MIT
#include "csv.hpp"

#include <string>

#include "regions.hpp"
#include "text.hpp"

namespace cli {

namespace {

/// The text as one cell: in quotes where it holds what would end it.
std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char letter : text) quoted.append(letter == '"' ? "\"\"" : std::string(1, letter));
  return quoted + '"';
}

void write_extent(std::ostream& out, const Extent& extent, diffseg::Index cells) {
  out.precision(9);
  out << extent.area << ',' << static_cast<double>(extent.area) / static_cast<double>(cells) << ',';
  if (extent.area == 0) {
    out << ",,,,,";
    return;
  }
  out << extent.left << ',' << extent.top << ',' << extent.width() << ',' << extent.height() << ','
      << extent.x << ',' << extent.y;
}

}  // namespace

Bytes encode_csv(const Scene& scene) {
  const diffseg::Labels& labels = scene.labels;
  const auto names = label_names(scene);
  const auto extents = find_extents(labels);
  const auto neighbours = find_neighbours(labels);
  const bool seen = !scene.photo.values.empty();
  const auto colours = seen ? mean_colours(labels, scene.photo) : decltype(mean_colours({}, {})){};
  TextStream out;
  out << "label,name,area,share,left,top,width,height,x,y,red,green,blue,neighbours\n";
  for (std::size_t label = 0; label < names.size(); ++label) {
    out << label << ',' << cell(names[label]) << ',';
    write_extent(out, extents[label], labels.size.cells());
    out.precision(6);  // colours are of floats
    for (std::size_t c = 0; c < 3; ++c) {
      out << ',';
      if (seen && extents[label].area > 0) out << 255 * colours[label][c];
    }
    const char* blank = ",";
    if (neighbours[label].empty()) out << ',';
    for (const std::int32_t other : neighbours[label]) out << std::exchange(blank, " ") << other;
    out << '\n';
  }
  const std::string text = out.str();
  return {text.begin(), text.end()};
}

}  // namespace cli
