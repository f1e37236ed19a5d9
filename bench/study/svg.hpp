// SPDX-License-Identifier: MIT
// Pictures as SVG text: a white sheet in pixels, so that they read the same on light and dark
// pages.
#pragma once

#include <string>

namespace study {

struct Point {
  double x = 0, y = 0;
};

enum class Anchor { start, middle, end };

struct TextStyle {
  double size = 12;  ///< pixels
  Anchor anchor = Anchor::start;
  std::string colour = "#222222";
  bool bold = false;
  double turn = 0;    ///< degrees, clockwise about its place
  bool halo = false;  ///< a white edge, to be read on lines
};

/// About the width of a text, in pixels: most generic sans-serif fonts are narrower.
[[nodiscard]] double text_width(const std::string& text, double size);

/// Numbers of marker shapes that look different.
inline constexpr int marker_count = 11;

class Svg {
 public:
  /// `description` is what screen readers say.
  Svg(double width, double height, const std::string& title, const std::string& description);

  void rectangle(Point corner, double width, double height, const std::string& fill);
  void line(Point from, Point to, const std::string& colour, double width = 1,
            const std::string& dashes = {});
  void text(Point at, const std::string& content, const TextStyle& style = {});
  /// A filled shape, 0 .. marker_count - 1, about `radius` wide either way.
  void marker(Point at, int shape, const std::string& colour, double radius = 5);

  /// The whole document.
  [[nodiscard]] std::string finish() const { return body_ + "</svg>\n"; }

 private:
  void polygon(Point centre, double radius, int corners, double first_angle, double inner,
               const std::string& colour);

  std::string body_;
};

}  // namespace study
