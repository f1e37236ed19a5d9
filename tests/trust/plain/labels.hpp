// SPDX-License-Identifier: MIT
// Guided filters, scores of partitions, matchings and names in plain loops.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <diffseg/core/types.hpp>
#include <map>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

namespace plain {

using diffseg::GridSize;
using diffseg::Index;
using Values = std::vector<std::int32_t>;

/// L / 100 of an sRGB-encoded pixel that is read in steps of 1 / 4096.
inline double lightness(const double* pixel, Index channels) {
  const auto linear = [](double value) {
    const double step = std::floor(value * 4096 + 0.5) / 4096;
    return step <= 0.04045 ? step / 12.92 : std::pow((step + 0.055) / 1.055, 2.4);
  };
  const double light = channels == 1 ? linear(pixel[0])
                                     : 0.2126729 * linear(pixel[0]) + 0.7151522 * linear(pixel[1]) +
                                           0.0721750 * linear(pixel[2]);
  const double l = light > 216.0 / 24389 ? 1.16 * std::cbrt(light) - 0.16 : light * 24389 / 2700;
  return std::min(1.0, l);
}

/// The guided filter of one mask: mean of slopes * guide + mean of offsets, edges mirrored.
class Guided {
 public:
  Guided(GridSize size, std::vector<double> guide, Index radius, double epsilon)
      : size_(size), guide_(std::move(guide)), radius_(radius), epsilon_(epsilon) {}

  [[nodiscard]] std::vector<double> filter(const Values& labels, std::int32_t label) const {
    const Index height = size_.height + 2 * radius_;
    const Index width = size_.width + 2 * radius_;
    std::vector<double> slopes, offsets;
    for (Index y = 0; y < height; ++y) {
      for (Index x = 0; x < width; ++x) {
        double ones = 0, lights = 0, squares = 0, both = 0;
        window(y - radius_, x - radius_, [&](Index cell) {
          const double light = guide_[static_cast<std::size_t>(cell)];
          const double mask = labels[static_cast<std::size_t>(cell)] == label ? 1 : 0;
          ones += mask;
          lights += light;
          squares += light * light;
          both += mask * light;
        });
        const auto cells = static_cast<double>((2 * radius_ + 1) * (2 * radius_ + 1));
        const double variance = squares / cells - lights / cells * (lights / cells);
        const double slope =
            (both / cells - ones / cells * (lights / cells)) / (variance + epsilon_);
        slopes.push_back(slope);
        offsets.push_back(ones / cells - slope * lights / cells);
      }
    }
    std::vector<double> out;
    for (Index y = 0; y < size_.height; ++y) {
      for (Index x = 0; x < size_.width; ++x) {
        double slope = 0, offset = 0;
        for (Index v = y; v <= y + 2 * radius_; ++v) {
          for (Index u = x; u <= x + 2 * radius_; ++u) {
            slope += slopes[static_cast<std::size_t>(v * width + u)];
            offset += offsets[static_cast<std::size_t>(v * width + u)];
          }
        }
        const auto cells = static_cast<double>((2 * radius_ + 1) * (2 * radius_ + 1));
        out.push_back(slope / cells * guide_[static_cast<std::size_t>(y * size_.width + x)] +
                      offset / cells);
      }
    }
    return out;
  }

 private:
  /// body(cell) for all cells around (y, x), which may lie behind the mirrors.
  template <class Body>
  void window(Index y, Index x, const Body& body) const {
    const auto mirrored = [](Index i, Index count) {
      while (count > 1 && (i < 0 || i >= count)) i = i < 0 ? -i : 2 * count - 2 - i;
      return count == 1 ? 0 : i;
    };
    for (Index v = y - radius_; v <= y + radius_; ++v) {
      for (Index u = x - radius_; u <= x + radius_; ++u) {
        body(mirrored(v, size_.height) * size_.width + mirrored(u, size_.width));
      }
    }
  }

  GridSize size_;
  std::vector<double> guide_;
  Index radius_;
  double epsilon_;
};

/// Pixels of each pair (truth, prediction) where the truth is known.
inline std::map<std::pair<Index, Index>, std::int64_t> shared(const Values& predicted,
                                                              const Values& truth) {
  std::map<std::pair<Index, Index>, std::int64_t> counts;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] >= 0) ++counts[{truth[i], predicted[i]}];
  }
  return counts;
}

/// Scores of a partition, pair by pair of pixels.
struct Scores {
  double covering = 0, rand = 0, adjusted = 0, variation = 0;
};

inline Scores scores(const Values& predicted, const Values& truth) {
  Scores out;
  std::vector<std::pair<std::int32_t, std::int32_t>> pixels;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] >= 0) pixels.emplace_back(truth[i], predicted[i]);
  }
  const auto all = static_cast<double>(pixels.size());
  double both = 0, in_truth = 0, in_prediction = 0, agree = 0, pairs = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const bool a = pixels[i].first == pixels[j].first;
      const bool b = pixels[i].second == pixels[j].second;
      ++pairs;
      both += a && b ? 1 : 0;
      in_truth += a ? 1 : 0;
      in_prediction += b ? 1 : 0;
      agree += a == b ? 1 : 0;
    }
  }
  out.rand = pairs == 0 ? 1 : agree / pairs;
  const double chance = pairs == 0 ? 0 : in_truth * in_prediction / pairs;
  const double most = (in_truth + in_prediction) / 2;
  out.adjusted = most == chance ? 1 : (both - chance) / (most - chance);
  const auto counts = shared(predicted, truth);
  const auto area = [&](bool of_truth, Index label) {
    double sum = 0;
    for (const auto& [pair, count] : counts) {
      if ((of_truth ? pair.first : pair.second) == label) sum += static_cast<double>(count);
    }
    return sum;
  };
  std::map<Index, double> best;
  for (const auto& [pair, count] : counts) {
    const auto n = static_cast<double>(count);
    const double t = area(true, pair.first);
    const double p = area(false, pair.second);
    best[pair.first] = std::max(best[pair.first], n / (t + p - n));
    out.variation -= n / all * (std::log2(n / t) + std::log2(n / p));
  }
  for (const auto& [label, iou] : best) out.covering += area(true, label) / all * iou;
  return out;
}

/// Cells whose right or lower neighbour has another value, where both are known.
inline std::vector<bool> borders(GridSize size, const Values& values, const Values& known) {
  std::vector<bool> out(values.size(), false);
  for (Index y = 0; y < size.height; ++y) {
    for (Index x = 0; x < size.width; ++x) {
      const auto own = static_cast<std::size_t>(y * size.width + x);
      const auto differs = [&](std::size_t other) {
        return values[own] != values[other] && known[own] >= 0 && known[other] >= 0;
      };
      if (x + 1 < size.width && differs(own + 1)) out[own] = true;
      if (y + 1 < size.height && differs(own + static_cast<std::size_t>(size.width))) {
        out[own] = true;
      }
    }
  }
  return out;
}

/// Share of the cells of `from` that have one of `to` within the radius.
inline double near(GridSize size, const std::vector<bool>& from, const std::vector<bool>& to,
                   Index radius) {
  double all = 0, found = 0;
  bool any = false;
  for (Index i = 0; i < size.cells(); ++i) {
    any = any || to[static_cast<std::size_t>(i)];
    if (!from[static_cast<std::size_t>(i)]) continue;
    ++all;
    bool is_near = false;
    for (Index j = 0; j < size.cells(); ++j) {
      const Index dy = i / size.width - j / size.width;
      const Index dx = i % size.width - j % size.width;
      is_near =
          is_near || (to[static_cast<std::size_t>(j)] && dy * dy + dx * dx <= radius * radius);
    }
    found += is_near ? 1 : 0;
  }
  return all > 0 ? found / all : any ? 0 : 1;
}

/// The largest sum of scores [rows x columns] over all one-to-one choices.
inline std::int64_t best_matching(const std::vector<std::vector<std::int64_t>>& scores,
                                  std::size_t row = 0, std::set<std::size_t> used = {}) {
  if (row == scores.size()) return 0;
  std::int64_t best = best_matching(scores, row + 1, used);  // the row stays alone
  for (std::size_t column = 0; column < scores[row].size(); ++column) {
    if (used.count(column) > 0) continue;
    auto more = used;
    more.insert(column);
    best = std::max(best, scores[row][column] + best_matching(scores, row + 1, more));
  }
  return best;
}

}  // namespace plain
