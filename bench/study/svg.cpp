// SPDX-License-Identifier: MIT
#include "svg.hpp"

#include <cmath>
#include <cstdio>
#include <numbers>

namespace study {

namespace {

std::string number(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.1f", value);
  return buffer;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '&') result += "&amp;";
    if (c == '<') result += "&lt;";
    if (c == '>') result += "&gt;";
    if (c == '"') result += "&quot;";
    if (c != '&' && c != '<' && c != '>' && c != '"') result += c;
  }
  return result;
}

std::string attribute(const std::string& name, const std::string& value) {
  return " " + name + "=\"" + value + "\"";
}

std::string attribute(const std::string& name, double value) {
  return attribute(name, number(value));
}

}  // namespace

double text_width(const std::string& text, double size) {
  double bytes = 0;  // those that begin a character
  for (const char c : text) bytes += (static_cast<unsigned char>(c) & 0xc0U) != 0x80U ? 1 : 0;
  return 0.58 * size * bytes;
}

Svg::Svg(double width, double height, const std::string& title, const std::string& description) {
  body_ = "<svg" + attribute("xmlns", "http://www.w3.org/2000/svg") +
          attribute("viewBox", "0 0 " + number(width) + " " + number(height)) +
          attribute("width", width) + attribute("height", height) + attribute("role", "img") +
          attribute("font-family", "Helvetica, Arial, sans-serif") + ">\n";
  body_ += "<title>" + escaped(title) + "</title>\n<desc>" + escaped(description) + "</desc>\n";
  rectangle({0, 0}, width, height, "#ffffff");
}

void Svg::rectangle(Point corner, double width, double height, const std::string& fill) {
  body_ += "<rect" + attribute("x", corner.x) + attribute("y", corner.y) +
           attribute("width", width) + attribute("height", height) + attribute("fill", fill) +
           "/>\n";
}

void Svg::line(Point from, Point to, const std::string& colour, double width,
               const std::string& dashes) {
  body_ += "<line" + attribute("x1", from.x) + attribute("y1", from.y) + attribute("x2", to.x) +
           attribute("y2", to.y) + attribute("stroke", colour) + attribute("stroke-width", width);
  if (!dashes.empty()) body_ += attribute("stroke-dasharray", dashes);
  body_ += "/>\n";
}

void Svg::text(Point at, const std::string& content, const TextStyle& style) {
  constexpr const char* anchors[] = {"start", "middle", "end"};
  body_ += "<text" + attribute("x", at.x) + attribute("y", at.y) +
           attribute("font-size", style.size) + attribute("fill", style.colour) +
           attribute("text-anchor", anchors[static_cast<int>(style.anchor)]);
  if (style.bold) body_ += attribute("font-weight", "bold");
  if (style.halo) {
    body_ += attribute("stroke", "#ffffff") + attribute("stroke-width", 3.0) +
             attribute("stroke-linejoin", "round") + attribute("paint-order", "stroke");
  }
  if (style.turn != 0) {
    body_ += attribute("transform", "rotate(" + number(style.turn) + " " + number(at.x) + " " +
                                        number(at.y) + ")");
  }
  body_ += ">" + escaped(content) + "</text>\n";
}

void Svg::polygon(Point centre, double radius, int corners, double first_angle, double inner,
                  const std::string& colour) {
  std::string points;
  const int count = inner < 1 ? 2 * corners : corners;
  for (int i = 0; i < count; ++i) {
    const double angle = (first_angle + 360.0 * i / count) * std::numbers::pi / 180;
    const double length = radius * (inner < 1 && i % 2 == 1 ? inner : 1);
    points += number(centre.x + length * std::sin(angle)) + "," +
              number(centre.y - length * std::cos(angle)) + " ";
  }
  points.pop_back();
  body_ += "<polygon" + attribute("points", points) + attribute("fill", colour) +
           attribute("stroke", "#ffffff") + attribute("stroke-width", 0.7) + "/>\n";
}

void Svg::marker(Point at, int shape, const std::string& colour, double radius) {
  struct Shape {
    int corners;
    double first_angle, inner, scale;
  };
  // Star, circle, square, diamond, triangles, pentagon, plus, cross, flat star, three blades.
  constexpr Shape shapes[marker_count] = {
      {5, 0, 0.45, 1.4},   {24, 0, 1, 1},     {4, 45, 1, 1.25}, {4, 0, 1, 1.25},
      {3, 0, 1, 1.3},      {3, 180, 1, 1.3},  {5, 0, 1, 1.15},  {4, 0, 0.35, 1.45},
      {4, 45, 0.35, 1.45}, {6, 0, 0.55, 1.3}, {3, 0, 0.3, 1.6}};
  const Shape& used = shapes[shape % marker_count];
  polygon(at, radius * used.scale, used.corners, used.first_angle, used.inner, colour);
}

}  // namespace study
