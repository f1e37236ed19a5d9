// SPDX-License-Identifier: MIT
#include "label_places.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace study {

namespace {

double overlap(const Box& a, const Box& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  return std::max(0.0, width) * std::max(0.0, height);
}

Box around(Point at, double radius) {
  return {at.x - radius, at.y - radius, at.x + radius, at.y + radius};
}

/// The box of a label whose nearest edge or corner is `distance` from the point at an angle.
Box beside(const Labelled& point, double distance, double angle) {
  const double dx = std::cos(angle);
  const double dy = std::sin(angle);
  const double x = point.at.x + dx * (distance + point.width / 2);
  const double y = point.at.y + dy * (distance + point.height / 2);
  return {x - point.width / 2, y - point.height / 2, x + point.width / 2, y + point.height / 2};
}

double outside(const Box& box, const Box& frame) {
  return std::max(0.0, frame.left - box.left) + std::max(0.0, box.right - frame.right) +
         std::max(0.0, frame.top - box.top) + std::max(0.0, box.bottom - frame.bottom);
}

/// How much of the line from a point to its label runs over a box, in steps.
double crossed(Point from, const Box& label, const Box& box) {
  const Point to{std::clamp(from.x, label.left, label.right),
                 std::clamp(from.y, label.top, label.bottom)};
  double inside = 0;
  for (int step = 0; step <= 12; ++step) {
    const double x = from.x + (to.x - from.x) * step / 12;
    const double y = from.y + (to.y - from.y) * step / 12;
    inside += x > box.left && x < box.right && y > box.top && y < box.bottom ? 1 : 0;
  }
  return inside;
}

double cost(std::size_t own, const std::vector<Labelled>& points, const std::vector<Box>& boxes,
            const Box& box, const Box& frame, double distance) {
  double sum = distance / 4 + 1000 * outside(box, frame);
  for (std::size_t i = 0; i < points.size(); ++i) {
    sum += 20 * overlap(box, around(points[i].at, points[i].radius));
    if (i == own) continue;
    sum += 20 * overlap(box, boxes[i]) + 15 * crossed(points[own].at, box, boxes[i]) +
           8 * crossed(points[own].at, box, around(points[i].at, points[i].radius)) +
           15 * crossed(points[i].at, boxes[i], box);
  }
  return sum;
}

}  // namespace

std::vector<Box> place_labels(const std::vector<Labelled>& points, const Box& frame) {
  std::vector<Box> boxes;
  for (const Labelled& point : points) boxes.push_back(beside(point, point.radius, 0));
  // Every label in turn to where it costs least beside all others, until none moves.
  for (int pass = 0; pass < 20; ++pass) {
    bool moved = false;
    for (std::size_t i = 0; i < points.size(); ++i) {
      double least = cost(i, points, boxes, boxes[i], frame,
                          std::hypot((boxes[i].left + boxes[i].right) / 2 - points[i].at.x,
                                     (boxes[i].top + boxes[i].bottom) / 2 - points[i].at.y) -
                              points[i].width / 2);
      for (double distance = points[i].radius + 1; distance < 110; distance += 6) {
        for (int direction = 0; direction < 24; ++direction) {
          const Box box = beside(points[i], distance, direction * std::numbers::pi / 12);
          const double price = cost(i, points, boxes, box, frame, distance);
          if (price >= least - 1e-9) continue;
          least = price;
          boxes[i] = box;
          moved = true;
        }
      }
    }
    if (!moved) break;
  }
  return boxes;
}

}  // namespace study
