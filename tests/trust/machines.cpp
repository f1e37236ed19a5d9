// SPDX-License-Identifier: MIT
// What machines.py builds once for each compiler, set of flags and processor: the published
// answers, with a sum of all labels so that two builds can be compared; and that NaN is refused.
//
// machines FOLDER ..: segments every golden case of the folders; exit status 1 when one is wrong.
#include <diffseg/diffseg.hpp>

#include <cstdint>
#include <cstdio>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/golden.hpp"

namespace {

using diffseg::Index;
using diffseg::Labels;

/// FNV-1a of the labels.
std::uint32_t sum_of_labels(const std::vector<int>& labels) {
  std::uint32_t sum = 2166136261U;
  for (const int label : labels) sum = (sum ^ static_cast<std::uint32_t>(label)) * 16777619U;
  return sum;
}

double share_of_equal(const std::vector<int>& labels, const std::vector<int>& expected) {
  if (labels.size() != expected.size()) return 0;
  Index equal = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) equal += labels[i] == expected[i];
  return static_cast<double>(equal) / static_cast<double>(labels.size());
}

template <class Scalar>
Labels labels_of(const golden::Case& test, const diffseg::Layers& layers) {
  diffseg::Maps<Scalar> maps;
  diffseg::Aggregate{.weights = test.weights}(layers, maps);
  const diffseg::Compare compare{.anchors = {test.points, test.points},
                                 .placement = diffseg::Compare::Placement::published,
                                 .ceiling = test.thresholds[0]};
  auto proposals = diffseg::Merge{.thresholds = test.thresholds}(compare(maps));
  if (proposals.per_iteration != test.per_iteration) return {};
  if (test.refine) proposals = diffseg::Refine{}(proposals);
  const auto shape = test.read("labels").shape;
  return diffseg::Assign{.size = {shape.at(0), shape.at(1)},
                         .ids = diffseg::Assign::Ids::reference}(proposals);
}

/// One printed line; false: other labels than published, or other ones with other threads.
template <class Scalar>
bool is_right(const golden::Case& test, const char* precision) {
  const auto layers = golden::layers<Scalar>(test);
  const auto labels = labels_of<Scalar>(test, layers).values;
  const double share = share_of_equal(labels, test.read("labels").as<int>());
  const diffseg::ThreadLimit limit(1);
  const bool same = labels_of<Scalar>(test, layers).values == labels;
  std::printf("%s %s %.4f %% %08x%s\n", test.name.c_str(), precision, 100 * share,
              static_cast<unsigned>(sum_of_labels(labels)), same ? "" : " other with one thread");
  std::fflush(stdout);
  return same && share >= (test.refine ? 0.995 : 0.999);
}

/// The compiler may have been told that there is none.
bool refuses_nan() {
  std::vector<float> attention(16, 0.25F);
  attention[5] = std::numeric_limits<float>::quiet_NaN();
  const auto layer = diffseg::Layer::owning(std::move(attention), 1, {2, 2});
  try {
    static_cast<void>(diffseg::segment(diffseg::Layers{layer}, {.compare = {.anchors = {1, 1}}}));
  } catch (const std::invalid_argument&) {
    return true;
  }
  std::puts("NaN was taken");
  return false;
}

}  // namespace

int main(int count, char** arguments) {
  bool right = refuses_nan();
  std::set<std::string> seen;
  for (int i = 1; i < count; ++i) {
    for (const golden::Case& test : golden::load_all(arguments[i])) {
      if (!seen.insert(test.name).second) continue;
      right = is_right<float>(test, "float") && right;
      right = is_right<double>(test, "double") && right;
    }
  }
  if (seen.empty()) std::puts("no golden case");
  return right && !seen.empty() ? 0 : 1;
}
