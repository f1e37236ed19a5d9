// SPDX-License-Identifier: MIT
#include "score.hpp"

#include <algorithm>
#include <diffseg/io/error.hpp>
#include <diffseg/labels/evaluate.hpp>
#include <vector>

#include "label_io.hpp"
#include "text.hpp"

namespace cli {

using diffseg::GridSize;
using diffseg::Index;
using diffseg::Labels;

namespace {

constexpr std::int32_t common_void = 255;  // of VOC, Cityscapes' train ids, COCO-Stuff

bool holds(const Labels& labels, std::int32_t label) {
  return std::find(labels.values.begin(), labels.values.end(), label) != labels.values.end();
}

/// True where 255 stands out: among its neighbours it is a label like the others.
bool holds_common_void(const Labels& truth) {
  return holds(truth, common_void) &&
         !(holds(truth, common_void - 1) && holds(truth, common_void + 1));
}

/// Each pixel of the new size has the label of the pixel that its centre falls on.
Labels resized(const Labels& labels, GridSize size) {
  Labels result{size, {}, labels.proposals};
  result.values.reserve(static_cast<std::size_t>(size.cells()));
  for (Index y = 0; y < size.height; ++y) {
    const Index row = (2 * y + 1) * labels.size.height / (2 * size.height) * labels.size.width;
    for (Index x = 0; x < size.width; ++x) {
      const Index column = (2 * x + 1) * labels.size.width / (2 * size.width);
      result.values.push_back(labels.values[static_cast<std::size_t>(row + column)]);
    }
  }
  return result;
}

/// True labels beyond the classes, with what may be meant by them.
void check_classes(const Labels& truth, const std::filesystem::path& path, Index classes) {
  const auto beyond = std::find_if(truth.values.begin(), truth.values.end(),
                                   [&](std::int32_t label) { return label >= classes; });
  if (beyond == truth.values.end()) return;
  throw diffseg::io_error(message(path.string(), ": true labels must be below ", classes, ", got ",
                                  *beyond, "; give --ignore ", *beyond,
                                  " if it means: not annotated, else a larger --classes"));
}

/// Labels that are ignored become "not annotated".
Labels read_truth(const std::filesystem::path& path, GridSize size, const ScoreOptions& options,
                  PhotoResult& result) {
  Labels truth = read_labels(path);
  if (truth.size != size) {
    if (!options.resize_truth) {
      throw diffseg::io_error(
          message(path.string(), ": prediction and truth must have one size, got ", size.height,
                  " x ", size.width, " and ", truth.size.height, " x ", truth.size.width,
                  "; --resize-truth scales the truth to the prediction, nearest pixel"));
    }
    truth = resized(truth, size);
  }
  if (options.ignored.count(common_void) == 0 && holds_common_void(truth)) ++result.holding;
  for (std::int32_t& label : truth.values) {
    if (options.ignored.count(label) != 0) label = -1;
  }
  if (options.classes > 0) check_classes(truth, path, options.classes);
  return truth;
}

bool is_void(const Labels& truth) {
  return std::all_of(truth.values.begin(), truth.values.end(),
                     [](auto label) { return label < 0; });
}

void add_classes(const Labels& predicted, const Labels& truth, Index classes, ClassSums& sums) {
  ClassSums one;
  one.table = diffseg::sparse_confusion(predicted, truth, classes, predicted.count());
  const auto columns = diffseg::class_matching(one.table);
  one.ignored = diffseg::count_matched(one.table, columns, diffseg::Unmatched::ignored);
  one.false_positives =
      diffseg::count_matched(one.table, columns, diffseg::Unmatched::false_positives);
  sums += one;
}

}  // namespace

PhotoResult score_photo(const LabelFiles& files, const ScoreOptions& options) {
  if (!files.error.empty()) throw diffseg::io_error(files.error);
  PhotoResult result{{.id = files.id}};
  const Labels predicted = read_labels(files.prediction);
  std::vector<Labels> truths;
  for (const auto& path : files.truths) {
    Labels truth = read_truth(path, predicted.size, options, result);
    if (is_void(truth)) continue;
    if (options.classes > 0) add_classes(predicted, truth, options.classes, result.classes);
    truths.push_back(std::move(truth));
  }
  const std::set<std::int32_t> used(predicted.values.begin(), predicted.values.end());
  result.score.size = predicted.size;
  result.score.truths = static_cast<Index>(truths.size());
  result.score.segments = static_cast<Index>(used.size());
  if (truths.empty()) return result;
  result.score.scores = diffseg::score(predicted, truths);
  for (const Labels& truth : truths) {
    result.score.borders +=
        diffseg::score_boundaries(predicted, truth).f_measure / static_cast<double>(truths.size());
  }
  return result;
}

}  // namespace cli
